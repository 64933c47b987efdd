"""Keeps each call's state machine and gets RingCentral to send us its audio."""
