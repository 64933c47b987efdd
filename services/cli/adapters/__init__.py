"""Processes, files, topics and HTTP for the command line."""
