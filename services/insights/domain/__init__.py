"""What is learned of a call and when something is said about it: pure, no Kafka, no clock."""
