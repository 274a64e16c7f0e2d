"""Topics, consumer, producer, admin: the only importer of confluent_kafka."""
