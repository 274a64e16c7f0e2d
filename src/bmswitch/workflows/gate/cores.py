"""Guards about the two installations: their states and versions are those of a switch that has not begun."""

from bmswitch.model.plan import Finding
from bmswitch.model.switch.facts import CLONING, RUNNING, SILENT, UNKNOWN
from bmswitch.workflows.gate.facts import GateFacts, passed, stop, unknown


def blue_runs(facts: GateFacts) -> Finding:
    """Blue is in production."""
    return _is("blue_runs", "blue", facts.blue, RUNNING, "start blue's core")


def green_is_a_clone(facts: GateFacts) -> Finding:
    """Green still restores: RUNNING would mean that somebody promoted it (traffic-and-objects.md C 7)."""
    return _is("green_is_a_clone", "green", facts.green, CLONING, "bmswitch status")


def versions(facts: GateFacts) -> Finding:
    """What runs is what the configuration names, release by release (5.1 fits 5.1.3)."""
    if facts.versions_error:
        return unknown("versions", "a version can not be read", facts.versions_error)
    wrong = [
        f"{side} runs {runs}, configured is {wanted}"
        for side, (wanted, runs) in facts.versions.items()
        if not (runs == wanted or runs.startswith(wanted + "."))
    ]
    if wrong:
        return stop(
            "versions", "another version runs than the configuration names", "; ".join(wrong), "bmswitch plan"
        )
    return passed("versions", ", ".join(f"{side} runs {runs}" for side, (_, runs) in facts.versions.items()))


def _is(guard: str, name: str, seen: str, wanted: str, command: str) -> Finding:
    if seen in (SILENT, UNKNOWN):
        return unknown(guard, f"{name}'s core can not be read", f"state {seen}", command)
    if seen != wanted:
        return stop(guard, f"{name} is {seen}, not {wanted}", command=command)
    return passed(guard, f"{name} is {wanted}")
