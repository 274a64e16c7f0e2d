"""One proof of two served installations, with a bucket and a log that a test can break."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.verify_core import TOKEN, FakeCore

from bmswitch.bluemind.bulk import Bulk
from bmswitch.bluemind.client import Core
from bmswitch.kafka.consumer import Batch
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.parity.bodies import Bodies
from bmswitch.workflows.barrier import ensure_barrier, run_barrier
from bmswitch.workflows.proof_files import Outcome
from bmswitch.workflows.verify import Options, Pieces, prove_sites

D = "lab.test"
TOPIC = "0123456789abcdef0123456789abcdef-" + D


class FakeLog:
    """The source's log: what `touch` says; every read takes what is there."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self._read = 0

    def touch(self, kind: str, owner: str, container: str, uid: str) -> None:
        key = encode_key(RecordKey(kind, owner, container, 5, "c", Operation.UPDATE))
        self.records.append(LogRecord(TOPIC, 0, len(self.records), 0, key, b'{"uid":"%b"}' % uid.encode()))

    def position(self) -> dict[str, list[int]]:
        return {TOPIC: [len(self.records)]}

    def read(self, limit: int, timeout: float) -> Batch:  # noqa: ARG002 -- as a real log's
        found, self._read = self.records[self._read : self._read + limit], len(self.records)
        return Batch(found, {})

    def close(self) -> None:
        pass


class Bucket:
    """Holds every body but those told otherwise."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.damaged: set[str] = set()

    def missing(self, guids: Iterable[str]) -> set[str]:
        return set(guids) & self.lost

    def verify_body(self, guid: str) -> bool:
        return guid not in self.damaged


@contextmanager
def pieces_of(
    blue: FakeCore,
    green: FakeCore,
    *,
    bucket: Bucket | None = None,
    log: FakeLog | None = None,
    bodies: int = 50,
    green_token: str = TOKEN,
    **more: Any,
) -> Iterator[Pieces]:
    """What a proof of these two needs of the world."""
    first, second = Core(blue.url, TOKEN, name="blue"), Core(green.url, TOKEN, name="green")
    ensure_barrier(first, [D])
    try:
        yield Pieces(
            source=lambda: Bulk(blue.url, TOKEN, name="blue"),
            target=lambda: Bulk(green.url, green_token, name="green"),
            domains=[D],
            versions=(blue.held.version, green.held.version),
            position=log.position if log else lambda: {"t": [1, 2]},
            barrier=lambda: run_barrier(first, second, [D], timeout=5),
            bodies=Bodies(bucket or Bucket(), sample=bodies),
            log=(lambda _: log) if log else None,
            **more,
        )
    finally:
        first.close()
        second.close()


_OF_PIECES = ("bucket", "log", "bodies", "green_token", "kept", "passwords")


def prove(blue: FakeCore, green: FakeCore, **given: Any) -> Outcome:
    """One proof; what is given goes to the pieces or to the options."""
    with pieces_of(blue, green, **{k: v for k, v in given.items() if k in _OF_PIECES}) as pieces:
        options = Options(**{k: v for k, v in given.items() if k not in _OF_PIECES})
        return prove_sites(pieces, "plan-1", options, lambda _: None)
