"""The share of eligible calls that is heard on both sides, on a simulated floor in compressed time."""
