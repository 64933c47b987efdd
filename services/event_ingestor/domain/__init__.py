"""The ingestor's decisions, free of I/O: frames, the connection, filters, the roster, what is known of calls."""
