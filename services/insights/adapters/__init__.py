"""What insights meets outside: wire records, table rows, files, the sentiment lexicon."""
