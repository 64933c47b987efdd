"""Audio chunks in, redacted partial and final utterances with word times out."""
