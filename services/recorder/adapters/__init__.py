"""The recorder's files."""
