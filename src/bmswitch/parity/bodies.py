"""Bodies: every guid that a mail record names is an object of the bucket; of a sample, the content is hashed.

The bucket is listed or asked object by object (objects.bucket); memory is bounded: guids are checked in batches.
"""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from bmswitch.model.differences import Difference, Place, difference

BATCH = 250_000
MISSING = "body missing in the bucket"
DAMAGED = "body damaged in the bucket"
_PARALLEL = 8


class Store(Protocol):
    """The bucket, as far as this needs it."""

    def missing(self, guids: Iterable[str]) -> set[str]:
        """Those that are no object."""

    def verify_body(self, guid: str) -> bool:
        """True when the object's decompressed content has the SHA-1 that its name says."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies looked for up to here, what was wrong with them, and the sample that is still to be opened."""

    named: int = 0
    opened: int = 0
    differences: list[Difference] = []
    chosen: dict[str, Place] = {}


@dataclass
class Bodies:
    """Collects guids and checks them. `sample` bodies are opened (0: none, negative: all).

    `flush` and `finish` block, and run in one thread at a time; `add` may be called meanwhile.
    """

    store: Store
    sample: int = 50
    named: int = 0
    opened: int = 0
    differences: list[Difference] = field(default_factory=list)
    _waiting: dict[str, Place] = field(default_factory=dict)
    _chosen: dict[str, Place] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.SystemRandom)

    def add(self, place: Place, guids: Iterable[str]) -> None:
        """Takes the guids that a folder's records name."""
        for guid in guids:
            self._waiting.setdefault(guid, place)

    @property
    def checked(self) -> Checked:
        """Where the work stands."""
        return Checked(
            named=self.named,
            opened=self.opened,
            differences=list(self.differences),
            chosen=dict(self._chosen),
        )

    def take_up(self, checked: Checked) -> None:
        """Goes on where an earlier run stopped."""
        self.named, self.opened = checked.named, checked.opened
        self.differences, self._chosen = list(checked.differences), dict(checked.chosen)

    @property
    def full(self) -> bool:
        """True when `flush` should be called before more is added."""
        return len(self._waiting) >= BATCH

    @property
    def overfull(self) -> bool:
        """True when nothing should be added before a flush has ended."""
        return len(self._waiting) >= 2 * BATCH

    def cut(self) -> dict[str, Place]:
        """Takes what was collected, to be flushed; by whoever adds."""
        waiting, self._waiting = self._waiting, {}
        return waiting

    def flush(self, waiting: dict[str, Place]) -> None:
        """Checks the presence of these and chooses the sample (reservoir sampling)."""
        for guid in sorted(self.store.missing(waiting)):
            self.differences.append(difference(waiting.pop(guid), guid, "both", MISSING))
        if self.sample < 0:
            self._open(waiting)
        for guid, place in waiting.items():
            self.named += 1
            if len(self._chosen) < self.sample:
                self._chosen[guid] = place
            elif self.sample > 0 and self._random.randrange(self.named) < self.sample:
                self._chosen.pop(self._random.choice(list(self._chosen)))
                self._chosen[guid] = place

    def finish(self, shown: Callable[[str], None] = lambda _: None) -> None:
        """Checks what is left, then opens the sample."""
        self.flush(self.cut())
        shown(f"bodies: {self.named} present, opening {len(self._chosen)}")
        self._open(self._chosen)
        self._chosen = {}

    def _open(self, chosen: dict[str, Place]) -> None:
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="body") as pool:
            for guid, whole in zip(chosen, pool.map(self.store.verify_body, chosen), strict=True):
                self.opened += 1
                if not whole:
                    self.differences.append(difference(chosen[guid], guid, "both", DAMAGED))
