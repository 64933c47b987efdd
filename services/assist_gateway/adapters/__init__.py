"""Topics in, tokens, WebSocket and HTTP, audit and feedback out."""
