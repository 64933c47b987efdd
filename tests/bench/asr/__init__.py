"""The streaming transcriber measured: accuracy, latency, stability, cost, and legs a core, beside its peers."""
