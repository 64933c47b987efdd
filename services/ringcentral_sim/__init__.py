"""A RingCentral to run and test against: REST, events, SIP and RTP. It knows nothing of the product."""
