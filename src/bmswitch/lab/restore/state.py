"""`clone.state.json`: topic to resume token; the offsets themselves are the group's, in Kafka (change-log.md 8.5)."""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from bmswitch.lab.site import write_private


class Token(msgspec.Struct, frozen=True):
    """Consumer group of one topic, and how many consumers it had."""

    group: str
    workers: int = 4


class CloneState:
    """The tokens of one clone, saved at each change. A damaged file is a warning and a fresh start."""

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        try:
            self._tokens = msgspec.json.decode(path.read_bytes(), type=dict[str, Token])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            log(f"WARN clone state is not readable, starting fresh: {error}")

    def token(self, topic: str) -> Token | None:
        """The token of a topic that a run subscribed to before."""
        return self._tokens.get(topic)

    def save(self, topic: str, token: Token) -> None:
        """Keep a token."""
        with self._lock:
            self._tokens[topic] = token
            write_private(self._path, msgspec.json.encode(self._tokens))
