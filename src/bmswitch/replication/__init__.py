"""The pipeline from blue's Kafka to green's: source, cures, sink."""
