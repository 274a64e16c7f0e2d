"""What a lab was made of: `state.json`, replaced in one step at every change; and the lock of those who change it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import Literal

import msgspec

from bmswitch.lab.supervisor.layout import COLOURS, Layout, write_private
from bmswitch.lab.supervisor.s3 import S3Kind
from bmswitch.model.config import Colour
from bmswitch.model.errors import LabError

KafkaKind = Literal["embedded", "apache"]
Mode = Literal["mirror", "shared"]
ProxyKind = Literal["envoy", "haproxy", "nginx"]


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One part as it was started last; whether it still runs is asked anew each time."""

    pid: int
    address: str
    log: str


class State(msgspec.Struct, kw_only=True):
    """Choices and addresses of one lab. `ports` by name, `bootstraps` by colour; `log` is the folder of a real log, or empty.

    `loaded`: that log is in blue's Kafka. `rebuilt`: sides that were emptied and are clones now. `mode` shared: one Kafka, blue's, for
    both sides, with the reverse proxy's directory topic beside the log.
    """

    schema: int = 1
    kafka: KafkaKind = "embedded"
    mode: Mode = "mirror"
    s3: S3Kind = "rclone"
    proxy: ProxyKind = "envoy"
    users: int = 50
    items: int = 20
    domain: str = "lab.test"
    log: str = ""
    loaded: bool = False
    rebuilt: list[Colour] = []
    installation_id: str = ""
    ports: dict[str, int] = {}
    bootstraps: dict[Colour, str] = {}
    parts: dict[str, PartRecord] = {}


def kafkas(state: State) -> tuple[Colour, ...]:
    """The sides that have a Kafka of their own."""
    return ("blue",) if state.mode == "shared" else COLOURS


def read_state(layout: Layout) -> State | None:
    """The state, or None when there is none or it can not be understood (a torn file is no state)."""
    try:
        return msgspec.json.decode(layout.state.read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None


def require_state(layout: Layout) -> State:
    """The state; LabError when there is no lab."""
    state = read_state(layout)
    if state is None:
        raise LabError(
            "there is no lab in this folder",
            evidence=f"{layout.state} is missing or damaged",
            next_command="bmswitch lab up" + (", after bmswitch lab down" if layout.state.exists() else ""),
        )
    return state


def write_state(layout: Layout, state: State) -> None:
    """Replaces `state.json`."""
    write_private(layout.state, msgspec.json.format(msgspec.json.encode(state)).decode() + "\n")


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """One `lab up` or `lab down` at a time; LabError at once when another one works."""
    layout.root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                "another command changes this lab now",
                evidence=f"{layout.lock} is locked",
                next_command="wait until it ends: bmswitch lab status",
            ) from error
        yield
    finally:
        os.close(descriptor)
