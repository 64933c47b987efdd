"""The control surface for tests and demos, under /sim/."""
