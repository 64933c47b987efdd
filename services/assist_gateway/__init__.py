"""Live calls on screens: a WebSocket with snapshot and updates, and the web console."""
