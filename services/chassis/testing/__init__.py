"""Fakes of the chassis's ports, for the services' tests."""
