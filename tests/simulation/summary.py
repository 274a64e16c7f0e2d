"""Many seeds in figures: how they ended, and how often each fault met each phase."""

from collections import Counter
from collections.abc import Iterable

import msgspec
from tests.simulation.faults import COMBINATIONS, PHASES, POSSIBLE, Kind
from tests.simulation.simulate import FoundError, Run, Switch, simulate

from bmswitch.model.switch import Phase

MAX_FOUND = 10


class Summary(msgspec.Struct):
    """`found` holds the first broken seeds and what each broke."""

    seeds: int = 0
    ends: Counter[str] = msgspec.field(default_factory=Counter)
    returns: Counter[str] = msgspec.field(default_factory=Counter)
    resumed: int = 0
    met: Counter[tuple[Kind, Phase]] = msgspec.field(default_factory=Counter)
    acknowledged: int = 0
    moves: set[tuple[Phase, Phase]] = msgspec.field(default_factory=set)
    broken: int = 0
    found: list[tuple[int, str]] = msgspec.field(default_factory=list)

    def add(self, run: Run) -> None:
        """One more run that broke nothing."""
        self.seeds += 1
        self.ends[run.outcome] += 1
        if run.returned:
            self.returns[run.returned] += 1
        self.resumed += run.lives > 1 and run.outcome == "switched"
        self.met.update(run.met)
        self.acknowledged += run.acknowledged
        self.moves |= run.moves

    def merge(self, other: "Summary") -> None:
        """The figures of other seeds."""
        self.seeds += other.seeds
        self.ends.update(other.ends)
        self.returns.update(other.returns)
        self.resumed += other.resumed
        self.met.update(other.met)
        self.acknowledged += other.acknowledged
        self.moves |= other.moves
        self.broken += other.broken
        self.found = (self.found + other.found)[:MAX_FOUND]

    def not_met(self) -> list[tuple[Kind, Phase]]:
        """Possible combinations of fault and phase that never occurred."""
        return [combination for combination in COMBINATIONS if not self.met[combination]]


def summarized(seeds: Iterable[int], switch: Switch | None = None) -> Summary:
    """Simulates them all; a broken seed does not stop the others."""
    summary = Summary()
    for seed in seeds:
        try:
            summary.add(simulate(seed, switch))
        except FoundError as error:
            summary.seeds += 1
            summary.broken += 1
            summary.found = [*summary.found, (seed, error.said)][:MAX_FOUND]
    return summary


def table(summary: Summary) -> list[str]:
    """Faults down, phases across; a dash where a combination is not possible."""
    head = " " * 22 + "".join(f"{phase:>9}" for phase in PHASES)
    rows = [
        f"{kind:22}"
        + "".join(f"{summary.met[kind, phase] if phase in POSSIBLE[kind] else '-':>9}" for phase in PHASES)
        for kind in POSSIBLE
    ]
    return [head, *rows]
