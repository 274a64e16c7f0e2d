"""One first pass as a process of its own: `fold_worker.py RUN_DIR BLUE GREEN ID fold|copy`; prints one JSON object.

The cures are those of a run between two sites of one installation id. Seconds are from the start of the pass, connections and
all, to its last acknowledged record.
"""

import json
import resource
import sys
import time
from pathlib import Path

from bmswitch.kafka.topics import Topics
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.replication.api import Cure
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.crp_dir_entries import CrpDirEntries
from bmswitch.replication.cures.legacy_records import LegacyRecords
from bmswitch.replication.cures.server_addresses import ServerAddresses
from bmswitch.replication.cures.uidvalidity import UidValidity
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Quarantine
from bmswitch.replication.runner import MirrorThread, reached
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.source import KafkaSource
from bmswitch.workflows.first_pass import folded_first_pass


def main(run_dir: str, blue: str, green: str, installation: str, how: str) -> None:
    """Copies what is there, then ends."""
    folder = Path(run_dir)
    folder.mkdir(parents=True)
    source_kafka, sink_kafka = Kafka(bootstrap=blue), Kafka(bootstrap=green)
    wanted = Topics(source_kafka).cluster().of(installation)
    crp = topics.crp(installation)
    Topics(sink_kafka).create(wanted | {crp: 8})
    began = time.monotonic()
    source = KafkaSource(source_kafka, f"bench-{folder.name}", wanted)
    folding = folded_first_pass(folder, "bench", source, first_run=True) if how == "fold" else None
    cures: list[Cure] = [
        LegacyRecords(),
        ServerAddresses({"bm-master": "127.0.2.1"}),
        UidValidity(),
        CrpDirEntries(crp),
    ]
    read = folding or source
    mirror = Mirror(
        read, KafkaSink(sink_kafka), Chain(cures), Quarantine(folder / "quarantine.ndjson"), source.start
    )
    thread = MirrorThread(read, mirror)
    goal = Topics(source_kafka).ends(wanted)
    thread.start()
    while thread.alive and not reached(thread.progress.positions, goal):
        time.sleep(0.02)
    seconds = time.monotonic() - began
    thread.stop()
    thread.check()
    used = resource.getrusage(resource.RUSAGE_SELF)
    records = sum(sum(ends) for ends in goal.values())
    handed = thread.progress.records
    written = sum(sum(ends) for ends in Topics(sink_kafka).ends(wanted | {crp: 8}).values())
    print(json.dumps({
        "seconds": round(seconds, 2), "read": records, "handed_on": handed, "written": written,
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2), "peak_mib": used.ru_maxrss // 1024,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:6])
