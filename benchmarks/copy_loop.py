"""The least that a copy in Python does: consume and produce, nothing else: `copy_loop BLUE GREEN TOPIC`. Until it is ended."""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition

BATCH = 5000
AS_OURS = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "compression.level": 1,
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "queue.buffering.max.kbytes": 16_384,
    "delivery.report.only.error": True,
}


def main(blue: str, green: str, topic: str) -> None:
    """Copies the topic to `loop.<topic>`, partition by partition."""
    consumer = Consumer({"bootstrap.servers": blue, "group.id": "bench-loop", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(64)])
    producer = Producer({"bootstrap.servers": green, **AS_OURS})
    to = f"loop.{topic}"
    while True:
        for record in consumer.consume(BATCH, 0.5):
            while True:
                try:
                    producer.produce(to, record.value(), record.key(), record.partition() or 0)
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.poll(0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
