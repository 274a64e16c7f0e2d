"""Prevents a crossing of versions that the cures were never tried for (C 44, clone-and-api.md 6): nothing in BlueMind checks it."""

from bmswitch.model.crossings import CROSSINGS, Crossing, crossing, unproven
from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(44)
def version_proven(facts: Facts) -> Finding:
    """The cures cover the crossing from the source's version to the target's, or it was tried without them (shared mode); another one needs `--allow-unproven-version`."""
    source, target = facts.source.wanted_version, facts.target.wanted_version
    found = crossing(source, target, back=facts.back)
    if found is not None and facts.mode == "shared":
        return _uncured(found, source, target)
    if found is not None:
        return passed(f"from {source} to {target} is covered", f"tried on {found.tried}")
    covered = ", ".join(f"{one.source} to {one.target}" for one in CROSSINGS)
    return stop(
        f"from {source} to {target} is not covered by the cures",
        f"not proven: {'; '.join(unproven(source, target))}. Covered: {covered}",
        "try it on a copy first; then bmswitch plan --allow-unproven-version",
    )


def _uncured(found: Crossing, source: str, target: str) -> Finding:
    """In shared mode nothing is cured on the way."""
    if found.uncured:
        return passed(f"from {source} to {target} was tried without cures", f"tried on {found.uncured}")
    covered = ", ".join(f"{one.source} to {one.target}" for one in CROSSINGS if one.uncured)
    return stop(
        f"from {source} to {target} was tried with cures only, and nothing is cured with replication.mode: shared",
        f"tried without them: {covered}",
        "say replication.mode: mirror; or try it on a copy first, then bmswitch plan --allow-unproven-version",
    )
