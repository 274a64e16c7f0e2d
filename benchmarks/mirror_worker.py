"""One mirror as a process of its own, as `bmswitch replicate` runs it: `mirror_worker.py RUN_DIR BLUE GREEN ID`."""

import signal
import sys
import threading
from pathlib import Path

from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.server_addresses import ServerAddresses
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Quarantine
from bmswitch.replication.runner import MirrorThread
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.source import KafkaSource


def main(run_dir: str, blue: str, green: str, installation: str) -> None:
    """Mirrors every topic of the installation until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    source_kafka, sink_kafka = Kafka(bootstrap=blue), Kafka(bootstrap=green)
    topics = Topics(source_kafka).cluster().of(installation)
    Topics(sink_kafka).create(topics)
    source = KafkaSource(source_kafka, f"bmswitch-bench-{installation}", topics)
    quarantine = Quarantine(Path(run_dir) / "quarantine.ndjson")
    chain = Chain([ServerAddresses({"bm-master": "127.0.2.1"})])
    mirror = Mirror(source, KafkaSink(sink_kafka), chain, quarantine, source.start)
    thread = MirrorThread(source, mirror)
    thread.start()
    while thread.alive and not stop.wait(0.05):
        pass
    thread.stop()
    thread.check()


if __name__ == "__main__":
    main(*sys.argv[1:5])
