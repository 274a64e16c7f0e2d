"""The fold without a Kafka: nanoseconds of its decision beside a dict of decoded keys, and memory by number of keys."""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bmswitch.lab.makelog.story import Story, installation_of
from bmswitch.model.fold import step_of
from bmswitch.model.records import LogRecord, RecordKey, decode_item_uid, decode_key
from bmswitch.replication.fold_window import Window

RECORDS, SAMPLE, ROUNDS = 100_000, 500, 1500
"""A batch that stays in the cache, as one that was just read does; many rounds, as the best one is not disturbed by neighbours."""


def decisions() -> dict[str, float]:
    """CPU nanoseconds a record of a sample of a made log: the best of many rounds."""
    made = Story(500, RECORDS, seed=2, domain="made.lan", installation=installation_of(2), sizes="live")
    pairs = [(key, value) for _, _, key, value in made if value is not None]
    pairs = random.Random(1).sample(pairs, SAMPLE)  # noqa: S311 - no secret
    raw = msgspec.json.Decoder(RecordKey).decode
    keys = [key for key, _ in pairs if b'"operation"' in key]

    def by_dict() -> None:
        last: dict[tuple[str, str, str, str], int] = {}
        for number, (key, value) in enumerate(pairs):
            decoded = decode_key(key)
            last[decoded.type, decoded.owner, decoded.uid, decode_item_uid(value)] = number

    def by_fold() -> None:
        last: dict[bytes, int] = {}
        for number, (key, value) in enumerate(pairs):
            step = step_of(key, value)
            if step is not None:
                last[step[0]] = number

    return {
        "dict_ns": _best(by_dict, len(pairs)),
        "fold_ns": _best(by_fold, len(pairs)),
        "msgspec_ns": _best(lambda: [raw(key) for key in keys], len(keys)),
        "decode_key_ns": _best(lambda: [decode_key(key) for key in keys], len(keys)),
    }


def _best(work: Callable[[], object], records: int) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return round(min(times) / records * 1e9, 1)


def window_memory(keys: int) -> dict[str, Any]:
    """Peak memory of a process that folds one partition of that many items, each written once, a tenth of them twice."""
    done = subprocess.run(
        [sys.executable, __file__, str(keys)], check=True, stdout=subprocess.PIPE, text=True, timeout=7200
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print("memory", found)
    return found


def fold_one_partition(keys: int) -> None:
    """Prints what `window_memory` gives."""
    draw = random.Random(keys)  # noqa: S311 - no secret
    pad = b"x" * 300
    began, kept, records, on_disk = time.monotonic(), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        window = Window(Path(folder), fresh=True)
        numbers = iter(range(keys))
        while batch := [number for number, _ in zip(numbers, range(1000), strict=False)]:
            batch += [draw.randrange(batch[-1] + 1) for _ in range(100)]
            window.add([_record(number, records + i, pad) for i, number in enumerate(batch)])
            records += len(batch)
        on_disk = window.bytes
        for frame in window.needed():
            kept += len(frame)
        window.close()
    print(json.dumps({
        "keys": keys, "records": records, "kept": kept, "file_mib": on_disk >> 20, "seconds": round(time.monotonic() - began, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))  # fmt: skip


def _record(number: int, offset: int, pad: bytes) -> LogRecord:
    owner = b"cli-created-%032x" % (number % 977)
    key = b'{"type":"mailbox_records","owner":"%b","uid":"mbox_records_%032x","id":%d,"valueClass":"x.MailboxRecord","operation":"UPDATE"}' % (
        owner, number % 9770, number + 1,
    )  # fmt: skip
    value = b'{"value":{"flags":"%b"},"uid":"%d.","internalId":%d,"version":1}' % (pad, number, number + 1)
    return LogRecord("topic", 0, offset, 0, key, value)


if __name__ == "__main__":
    fold_one_partition(int(sys.argv[1]))
