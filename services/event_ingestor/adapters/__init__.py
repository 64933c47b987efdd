"""The ingestor's outside: RingCentral's REST and WebSocket, and the topics."""
