"""One outside thing each: sockets, SRTP, the SIP worker process, Kafka, RingCentral's device list."""
