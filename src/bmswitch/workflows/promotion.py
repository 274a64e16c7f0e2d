"""Where both logs stood when a switch changed sides: the way back copies what the new leader wrote after that, and no more.

Both ends are read while the source is fenced and the target not yet promoted. What a mirror still writes to the target's log
after that came from the source, so copying it back once more is harmless (records are upserts).
"""

import time
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.errors import JournalError, RefusedError

FILE = "promotion.json"
Ends = dict[str, list[int]]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """End offsets by topic: `source` is the whole log of the side that served, `target` that of its clone before it leads."""

    source: Ends
    target: Ends
    at: float


def save_promotion(run_dir: Path, source: Ends, target: Ends) -> None:
    """On the disk when this returns; a newer attempt replaces it. Raises JournalError."""
    content = msgspec.json.encode(Promotion(source=source, target=target, at=time.time()))
    try:
        replace_file(run_dir / FILE, content + b"\n", durable=True)
    except OSError as error:
        raise JournalError(f"{run_dir / FILE} can not be written", evidence=str(error)) from error


def load_promotion(run_dir: Path) -> Promotion:
    """Raises RefusedError when it is not there, JournalError when it is damaged."""
    path = run_dir / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Promotion)
    except FileNotFoundError as error:
        raise RefusedError(
            "it is not known where the logs stood when the sides changed",
            evidence=f"no {path}",
            consequence="a standby can not be built from this run folder; traffic was not touched",
            next_command="use a new run_dir and plan a switch in the other direction",
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalError(f"{path} is damaged", evidence=str(error)) from error


def refuse_other_writers(before: Ends, now: Ends, colour: str) -> None:
    """RefusedError when the log of the fenced side has grown: somebody wrote to it after everybody was told not to."""
    grown = [
        f"{topic} partition {number} ends at {end}, was {was[number]}"
        for topic, was in before.items()
        for number, end in enumerate(now.get(topic, []))
        if end != was[number]
    ]
    gone = [f"{topic} is gone" for topic in before if topic not in now]
    if grown or gone:
        raise RefusedError(
            f"{colour}'s log has changed since {colour} was fenced: what is in it is not what the clone took over",
            evidence="; ".join([*gone, *grown][:3]),
            consequence="nothing was written; traffic was not touched",
            next_command=f"find out who writes to {colour}'s Kafka; these records are on no serving side",
        )
