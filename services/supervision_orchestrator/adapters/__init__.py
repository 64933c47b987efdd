"""One outside thing each: topics, the supervise API, the broker's table rows."""
