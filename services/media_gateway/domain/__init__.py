"""Pure rules of the media gateway: no sockets, no clock, no threads, no Kafka, no SIP library."""
