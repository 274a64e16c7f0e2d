"""Makes a failing seed small: drops faults one at a time while the same invariant stays broken."""

from tests.simulation.clock import Clock
from tests.simulation.faults import Fault, faults_of
from tests.simulation.simulate import FoundError, Switch, simulate


def shrunken(seed: int, switch: Switch | None = None) -> tuple[list[Fault], FoundError] | None:
    """The fewest faults that break it, and how; None when the seed breaks nothing."""
    faults = faults_of(seed, Clock(seed).stream("faults"))
    found = _broken(seed, switch, faults)
    if found is None:
        return None
    dropped = True
    while dropped:
        dropped = False
        for number in range(len(faults)):
            fewer = [*faults[:number], *faults[number + 1 :]]
            again = _broken(seed, switch, fewer)
            if again is not None and again.number == found.number:
                faults, found, dropped = fewer, again, True
                break
    return faults, found


def _broken(seed: int, switch: Switch | None, faults: list[Fault]) -> FoundError | None:
    try:
        simulate(seed, switch, faults)
    except FoundError as error:
        return error
    return None
