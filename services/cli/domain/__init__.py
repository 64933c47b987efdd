"""What the demo measures: accuracy against known words, latency, swapped speakers. No I/O."""
