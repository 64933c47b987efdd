"""One outside thing per module: the Whisper weights, Silero, the resampler, Kafka."""
