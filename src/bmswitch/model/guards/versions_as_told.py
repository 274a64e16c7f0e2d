"""Prevents a switch between other versions than those that were planned and tested (C 44, clone-and-api.md 6)."""

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(44)
def versions_as_told(facts: Facts) -> Finding:
    """Each side has the version that the configuration names, release by release (5.1 fits 5.1.3); the target's is not older, but on the way back."""
    source, target = facts.source, facts.target
    older = _numbers(target.wanted_version) < _numbers(source.wanted_version)
    if older and not facts.back:
        return stop(
            f"{target.colour} is older than {source.colour}",
            f"{target.wanted_version} < {source.wanted_version}",
            f"give {target.colour} {source.wanted_version} or newer, and correct {target.colour}.version",
        )
    for side in facts.sides:
        if side.version and not _fits(side.version, side.wanted_version):
            return stop(
                f"{side.colour} has another version than the configuration says",
                f"{side.version}, expected {side.wanted_version}",
                f"correct {side.colour}.version, then bmswitch plan",
            )
    if not source.version:
        return unknown(f"{source.colour}'s version can not be read", source.core_error)
    if facts.switch is not None and not target.version:
        return unknown(f"{target.colour}'s version can not be read", target.core_error)
    if older:
        return warn(
            "the way back: an older version replays records that a newer one has written",
            f"{target.wanted_version} replays {source.version}",
            "only what the proof reads is proven; it names what it does not read",
        )
    return passed(f"from {source.version} to {target.version or target.wanted_version}")


def _fits(runs: str, wanted: str) -> bool:
    return runs == wanted or runs.startswith(wanted + ".")


def _numbers(version: str) -> list[int]:
    """A version's parts, fit to be compared."""
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]
