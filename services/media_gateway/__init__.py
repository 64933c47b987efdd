"""The soft phone: registers supervisor devices, answers supervise INVITEs, publishes what is heard."""
