"""Runs a mirror in its own thread until it is told to stop, ends for good, or fails."""

import threading
from collections import deque
from collections.abc import Callable, Mapping

from bmswitch.model.errors import UnreachableError
from bmswitch.replication.api import Watch
from bmswitch.replication.folding import FoldingSource
from bmswitch.replication.mirror import BATCH, Mirror, Progress
from bmswitch.replication.source import KafkaSource
from bmswitch.replication.valve import Valve

_POLL = 0.1
_HELD = 0.01
_STOP_WITHIN = 90.0


class MirrorThread:
    """The mirror of one run. After `stop` or an end of its own, what was acknowledged is committed.

    Args:
        source: the mirror's own, for topics that come later.
        mirror: closed by this thread, with its source and sink.
        valve: asked before each read.
    """

    def __init__(
        self, source: KafkaSource | FoldingSource, mirror: Mirror, valve: Valve | None = None
    ) -> None:
        self._source, self._mirror, self._valve = source, mirror, valve or Valve()
        self._stop = threading.Event()
        self._new: deque[dict[str, int]] = deque(maxlen=1000)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Begins to copy."""
        self._thread.start()

    @property
    def progress(self) -> Progress:
        """The moment."""
        return self._mirror.progress

    @property
    def alive(self) -> bool:
        """False when it ended for good or failed: then `check` tells."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Raises what made the mirror fail, if anything did."""
        if self._failure is not None:
            raise self._failure

    def add(self, topics: Mapping[str, int]) -> None:
        """Has further topics of the source mirrored too; the target must have them already."""
        self._new.append(dict(topics))

    def watch(self, make: Callable[[dict[str, list[int]]], Watch]) -> None:
        """See `Mirror.watch`."""
        self._mirror.watch(make)

    def stop(self) -> None:
        """Ends the mirror orderly: flush, commit. Raises what made it fail, or UnreachableError when it hangs."""
        self._stop.set()
        if self._thread.ident is None:
            self._mirror.close()
            return
        self._thread.join(_STOP_WITHIN)
        if self._thread.is_alive():
            raise UnreachableError(
                f"the mirror did not stop within {_STOP_WITHIN:.0f} s",
                consequence="what was not acknowledged will be written again by the next run",
            )

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                while self._new:
                    self._take(self._new.popleft())
                if not self._move():
                    break
            self._mirror.checkpoint()
        except BaseException as failure:  # noqa: BLE001 -- handed to the thread that checks
            self._failure = failure
        finally:
            self._mirror.close()

    def _move(self) -> bool:
        """One step, as far as the valve permits; False when the mirror has ended for good."""
        return move(self._mirror, self._valve, self._valve.permit(BATCH), held=_HELD)

    def _take(self, topics: dict[str, int]) -> None:
        self._source.add(topics)
        self._mirror.add({name: self._source.start[name] for name in topics})


def move(mirror: Mirror, valve: Valve, most: int, *, held: float) -> bool:
    """One step of at most `most` records, or `held` seconds of waiting when none is permitted; False when the mirror has ended for good."""
    if not most:
        mirror.idle(held)
        return True
    before = mirror.read
    going_on = mirror.step(_POLL, most)
    valve.took(mirror.read - before)
    return going_on


def reached(positions: Mapping[str, list[int]], ends: Mapping[str, list[int]]) -> bool:
    """True when every partition of `ends` was read to there."""
    return all(
        topic in positions and all(at >= end for at, end in zip(positions[topic], wanted, strict=True))
        for topic, wanted in ends.items()
    )
