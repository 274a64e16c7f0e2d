"""The parked records of a run folder: looked at, or accepted by name and reason (`quarantine_retry` tries them again)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.errors import RefusedError
from bmswitch.replication.quarantine import FILE, Decision, Entry, Quarantine, entries
from bmswitch.workflows.redacted import redacted

LIST = "bmswitch quarantine list"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One parked record as it is listed. `at` and `decided_at` are epoch seconds; `value_bytes` -1 is a tombstone."""

    number: int
    state: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: float
    value_bytes: int
    who: str = ""
    why: str = ""
    decided_at: float = 0.0


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One parked record with its key and value, without secrets and shortened."""

    line: Line
    key: str
    value: str


def listed(config: Config) -> list[Line]:
    """Every parked record of the run folder. Raises JournalError when the file is damaged."""
    return [_line(entry) for entry in entries(path_of(config))]


def show(config: Config, number: int) -> Shown:
    """One parked record. Raises RefusedError when there is none of this number."""
    entry = entry_of(config, number)
    key, value = redacted(entry.parked.key, entry.parked.value)
    return Shown(line=_line(entry), key=key, value=value)


def accept(config: Config, number: int, *, reason: str, who: str) -> Line:
    """Somebody takes it on himself that green misses the record. Raises RefusedError when that is decided already."""
    if not reason.strip() or not who.strip():
        raise RefusedError(
            "a parked record is accepted by name and reason only",
            next_command=f"bmswitch quarantine accept {number} --reason TEXT --who NAME",
        )
    entry = entry_of(config, number)
    if entry.decision is not None:
        by = f" by {entry.decision.who}" if entry.decision.who else ""
        raise RefusedError(f"record {number} is {entry.state} already{by}", next_command=LIST)
    with opened(path_of(config)) as file:
        file.decide(decision(entry, "accepted", reason.strip(), who.strip()))
    return _line(entry_of(config, number))


@contextmanager
def opened(path: Path) -> Iterator[Quarantine]:
    """The file, to write decisions; closed and synced at the end."""
    file = Quarantine(path)
    try:
        yield file
    finally:
        file.close()


def entry_of(config: Config, number: int) -> Entry:
    """One parked record. Raises RefusedError when there is none of this number."""
    found = next((entry for entry in entries(path_of(config)) if entry.number == number), None)
    if found is None:
        raise RefusedError(f"there is no parked record {number}", next_command=LIST)
    return found


def _line(entry: Entry) -> Line:
    parked, decided = entry.parked, entry.decision
    return Line(
        number=entry.number,
        state=entry.state,
        topic=parked.topic,
        partition=parked.partition,
        offset=parked.offset,
        reason=parked.reason,
        at=parked.at,
        value_bytes=-1 if parked.value is None else len(parked.value),
        who=decided.who if decided else "",
        why=why(entry),
        decided_at=decided.at if decided else 0.0,
    )


def why(entry: Entry) -> str:
    """The reason of its decision, empty without one."""
    return entry.decision.reason if entry.decision else ""


def decision(entry: Entry, verb: Literal["accepted", "retried"], reason: str, who: str) -> Decision:
    """A decision about a parked record, taken now."""
    at = entry.parked
    return Decision(verb, at.topic, at.partition, at.offset, reason, time.time(), who)


def path_of(config: Config) -> Path:
    """The run folder's file of parked records."""
    return Path(config.run_dir) / FILE
