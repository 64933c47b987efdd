"""What a transcriber decides, without clocks, threads, models or Kafka."""
