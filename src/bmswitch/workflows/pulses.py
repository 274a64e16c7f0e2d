"""How far a clone is behind, measured as a client would: one small write on the source every second, and when the target shows it.

Nothing else tells it of a clone that reads the source's own Kafka: once caught up its consumer groups commit no more
(clone-and-api.md 0). The entries are others than the barrier's, so that no barrier is written over.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

from bmswitch.bluemind.client import Core
from bmswitch.model.barrier import new_nonce, pulse_uids
from bmswitch.model.errors import BmswitchError

EVERY = 1.0
Ends = Mapping[str, list[int]]
"""End offsets of each partition by topic."""
_LOOK = 0.1
_AGAIN = 2.0
_WRITE_AGAIN = 5.0


class Pulses:
    """A thread of its own between `start` and `stop`. One write at a time, each in the next domain, then in the next partition.

    `before` tells the log's ends right before each write, and `passed` hears them once the target has shown that write. A side that does not
    answer, or a source that takes no writes (it stepped down), is asked again: the switch is not this one's business.
    """

    def __init__(self, source: Core, target: Core, domains: Sequence[str], *, every: float = EVERY) -> None:
        self._source, self._target, self._every = source, target, every
        self._domains = list(domains)
        self._turns = cycle([(domain, uid) for uid in pulse_uids() for domain in domains])
        self._since: float | None = None
        self._took = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulses", daemon=True)

    @property
    def seconds(self) -> float:
        """The age of a write that the target does not show yet, at least what the last one took."""
        since = self._since
        return max(self._took, time.monotonic() - since if since is not None else 0.0)

    def start(self, before: Callable[[], Ends], passed: Callable[[Ends], None]) -> None:
        """Begins to write."""
        self._before, self._passed = before, passed
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.is_set() and not self._try(self._prepare):
            self._stop.wait(_AGAIN)
        while not self._stop.is_set():
            began = time.monotonic()
            if not self._try(self._pulse):
                self._stop.wait(_AGAIN)
            self._stop.wait(max(0.0, self._every - (time.monotonic() - began)))

    def _prepare(self) -> None:
        for domain in self._domains:
            self._source.ensure_probes(domain, pulse_uids())

    def _pulse(self) -> None:
        """One write until it is shown; written again now and then, as a source that dies loses what it has just acknowledged."""
        domain, uid = next(self._turns)
        nonce, known, began = new_nonce(), self._before(), time.monotonic()
        self._source.write_nonce(domain, [uid], nonce)
        self._since, again = began, began + _WRITE_AGAIN
        while not self._shown(domain, uid, nonce):
            if self._stop.wait(_LOOK):
                return
            if time.monotonic() >= again:
                self._try(lambda: self._source.write_nonce(domain, [uid], nonce))
                again = time.monotonic() + _WRITE_AGAIN
        self._took, self._since = time.monotonic() - began, None
        self._passed(known)

    def _shown(self, domain: str, uid: str, nonce: str) -> bool:
        try:
            return self._target.nonces_missing(domain, [uid], nonce) == 0
        except BmswitchError:
            return False

    @staticmethod
    def _try(work: Callable[[], object]) -> bool:
        try:
            work()
        except BmswitchError:
            return False
        return True
