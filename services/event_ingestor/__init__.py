"""From RingCentral to Kafka: who may be monitored, and what happens on their phones."""
