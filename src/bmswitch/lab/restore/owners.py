"""Known owners, from the reverse proxy's directory topic `<hex32>-crp-dir-entries` (change-log.md 3.5, 8.6)."""

import threading
import time
from collections.abc import Callable

from bmswitch.lab.restore.reader import Reader, place_of
from bmswitch.model.errors import LabError, RecordError
from bmswitch.model.records import SYSTEM, Operation, decode_item_uid, decode_key

READ_LIMIT = 600.0  # seconds, then BlueMind gives up


class Owners:
    """`system` and every `dir` uid seen with CREATE and not deleted later. An entry seen only as UPDATE is unknown."""

    def __init__(self) -> None:
        self._uids: set[str] = {SYSTEM}

    def knows(self, owner: str) -> bool:
        """Whether the failure of a record of this owner is fatal."""
        return owner.partition("/")[0] in self._uids

    def feed(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the directory topic; what is not understood is left out."""
        if key is None or value is None:
            return
        try:
            decoded = decode_key(key)
            uid = decode_item_uid(value)
        except RecordError:
            return
        if decoded.type != "dir":
            return
        if decoded.operation is Operation.CREATE:
            self._uids.add(uid)
        elif decoded.operation is Operation.DELETE:
            self._uids.discard(uid)


class Everybody(Owners):
    """Knows every owner: every failure counts. For restoring without a directory topic."""

    def knows(self, owner: str) -> bool:
        """True."""
        return bool(owner) or super().knows(owner)


def read_owners(reader: Reader, owners: Owners, limit: float = READ_LIMIT) -> None:
    """Read the topic to its end as of now. Raises LabError after `limit` seconds."""
    for message in reader.read_all(time.monotonic() + limit):
        owners.feed(message.key(), message.value())


def follow_owners(
    reader: Reader, owners: Owners, done: threading.Event, log: Callable[[str], None]
) -> threading.Thread:
    """Keep reading in a thread until `done`, then close the reader."""

    def run() -> None:
        try:
            while not done.is_set():
                for message in reader.take(500, 0.2):
                    owners.feed(message.key(), message.value())
                    reader.applied(*place_of(message))
        except LabError as error:
            log(f"Reading CRP entries ended: {error.cause} {error.evidence}")
        finally:
            reader.close()

    thread = threading.Thread(target=run, name="clone-restore-crp-reader", daemon=True)
    thread.start()
    return thread
