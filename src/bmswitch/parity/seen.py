"""What a pass over both sides found: figures by dimension and the suspects to be settled."""

from dataclasses import dataclass, field

from bmswitch.model.differences import Place
from bmswitch.parity.sides import Pair
from bmswitch.parity.suspects import Suspects, suspects_of

_MAX_SUSPECTS = 100_000


@dataclass
class Tally:
    """How much was read in one dimension."""

    places: int = 0
    items: int = 0


@dataclass
class Seen:
    """Figures and suspects; `overflow` counts suspects beyond the limit, which were dropped: the verdict is never equal then."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    suspects: dict[Place, Suspects] = field(default_factory=dict)
    containers: int = 0
    items: int = 0
    overflow: int = 0
    _held: int = 0

    def take(self, dimension: str, pair: Pair) -> None:
        """Counts a place and keeps its suspects."""
        tally = self.tallies.setdefault(dimension, Tally())
        tally.places += 1
        tally.items += len(pair.source.prints)
        self._keep(pair.place, suspects_of(pair))

    def merge(self, other: "Seen") -> None:
        """Adds what another pass found."""
        for name, tally in other.tallies.items():
            mine = self.tallies.setdefault(name, Tally())
            mine.places += tally.places
            mine.items += tally.items
        self.containers += other.containers
        self.items += other.items
        self.overflow += other.overflow
        for place, found in other.suspects.items():
            self._keep(place, found)

    def _keep(self, place: Place, found: Suspects) -> None:
        if not found:
            return
        if self._held + len(found) > _MAX_SUSPECTS:
            self.overflow += len(found)
            return
        self._held += len(found)
        self.suspects[place] = found
