"""What a run leaves on disk: its status for other commands, and the name of its place in blue's log."""

from pathlib import Path
from typing import TypeVar

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.errors import JournalError
from bmswitch.model.status import ReplicateStatus

State = TypeVar("State")


class MirrorState(msgspec.Struct, frozen=True):
    """Which consumer group holds our place, between which clusters: a newer plan of the same two goes on from there.

    `mended`: the target's own log was mended before it became a clone (a later leg only). `topic_ids` are Kafka's own ids of the topics
    on both sides (`source name`, `target name`), where it tells them.
    """

    group: str
    blue_cluster: str
    green_cluster: str
    mended: bool = False
    topic_ids: dict[str, str] = {}


class SharedState(msgspec.Struct, frozen=True):
    """What a clone on the source's own Kafka was begun with: the cluster, Kafka's own topic ids, where it tells them.

    `readers` are the consumer groups of other clones that were there before: what is new is this clone's. `green_url` is its core.
    """

    cluster: str
    topic_ids: dict[str, str] = {}
    green_url: str = ""
    readers: list[str] = []


class FoldState(msgspec.Struct, frozen=True):
    """The first pass of one group, folded: `ends` is where its snapshot ends in each partition, for good.

    That the file is there says that the target may hold something of it. `read` and `kept` are of the last run, once `done`.
    """

    group: str
    ends: dict[str, list[int]]
    read: int = 0
    kept: int = 0
    done: bool = False


class CloneState(msgspec.Struct, frozen=True):
    """The clone that was asked for; `task` is empty when the answer was never seen."""

    green_url: str
    task: str


def write_status(run_dir: Path, status: ReplicateStatus) -> None:
    """Replaces `replicate.json`: a reader sees the old one or the new one, never half."""
    _replace(run_dir / "replicate.json", msgspec.json.encode(status))


def read_status(run_dir: Path) -> ReplicateStatus | None:
    """The last status, or None when there is none that can be read."""
    try:
        return msgspec.json.decode((run_dir / "replicate.json").read_bytes(), type=ReplicateStatus)
    except (OSError, msgspec.MsgspecError):
        return None


def load_mirror(run_dir: Path) -> MirrorState | None:
    """The mirror of this run folder, None when there was none yet. Raises JournalError when damaged."""
    return _load(run_dir / "mirror.json", MirrorState)


def save_mirror(run_dir: Path, state: MirrorState) -> None:
    """Durable before the first record is written."""
    _replace(run_dir / "mirror.json", msgspec.json.encode(state), durable=True)


def load_shared(run_dir: Path) -> SharedState | None:
    """The shared log of this run folder, None when there was none yet. Raises JournalError when damaged."""
    return _load(run_dir / "shared.json", SharedState)


def save_shared(run_dir: Path, state: SharedState) -> None:
    """Durable before the clone is asked for."""
    _replace(run_dir / "shared.json", msgspec.json.encode(state), durable=True)


def load_fold(run_dir: Path) -> FoldState | None:
    """The folded first pass of this run folder, None when there was none. Raises JournalError when damaged."""
    return _load(run_dir / "fold.json", FoldState)


def save_fold(run_dir: Path, state: FoldState) -> None:
    """Durable before the first record is written."""
    _replace(run_dir / "fold.json", msgspec.json.encode(state), durable=True)


def load_clone(run_dir: Path) -> CloneState | None:
    """The clone of this run folder, None when none was asked for. Raises JournalError when damaged."""
    return _load(run_dir / "clone.json", CloneState)


def save_clone(run_dir: Path, state: CloneState) -> None:
    """Durable before and after the clone is asked for."""
    _replace(run_dir / "clone.json", msgspec.json.encode(state), durable=True)


def _load(path: Path, shape: type[State]) -> State | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalError(f"{path} is damaged", evidence=str(error)) from error


def _replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    try:
        replace_file(path, content + b"\n", durable=durable)
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error
