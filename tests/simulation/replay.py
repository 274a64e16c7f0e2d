"""Replays one seed as a story: `python -m tests.simulation.replay SEED [MUTANT]`. A broken run is made small first."""

import sys

from tests.simulation.mutants import MUTANTS
from tests.simulation.shrink import shrunken
from tests.simulation.simulate import Switch, simulate


def told(seed: int, switch: Switch | None = None) -> tuple[list[str], bool]:
    """The story as lines, the shortest one when an invariant is broken; and whether one is."""
    found = shrunken(seed, switch)
    if found is not None:
        faults, error = found
        needed = (
            "no fault is"
            if not faults
            else "one fault is"
            if len(faults) == 1
            else f"{len(faults)} faults are"
        )
        return [*error.story, error.said, f"{needed} needed for it"], True
    run = simulate(seed, switch)
    return [*run.story, f"ended as {run.outcome}: {run.reason or 'all is well'}"], False


def main(arguments: list[str]) -> int:
    """1 when an invariant is broken."""
    switch = MUTANTS[arguments[1]].switch if len(arguments) > 1 else None
    lines, broken = told(int(arguments[0]), switch)
    sys.stdout.write("\n".join(lines) + "\n")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
