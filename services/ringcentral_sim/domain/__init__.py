"""Pure rules of the simulated platform: no I/O, no clock, no randomness of its own."""
