"""Measurements: `make bench SUITE=name`. What they print goes to `bench/results/` too."""
