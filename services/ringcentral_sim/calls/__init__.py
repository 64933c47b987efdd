"""Calls: their recordings, their script, their supervised legs."""
