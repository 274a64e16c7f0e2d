"""How a guard answers: one finding per level; and what several guards ask alike."""

from bmswitch.model.plan import Finding, Level
from bmswitch.model.preflight.facts import RUNNING, Facts


def passed(guard: str, cause: str, evidence: str = "") -> Finding:
    """The hazard is not there."""
    return Finding(guard=guard, level=Level.passed, cause=cause, evidence=evidence)


def warn(guard: str, cause: str, evidence: str = "", consequence: str = "", command: str = "") -> Finding:
    """The hazard is there, or is not known to be away, and does not forbid to go on."""
    return Finding(
        guard=guard,
        level=Level.warn,
        cause=cause,
        evidence=evidence,
        consequence=consequence,
        command=command,
    )


def stop(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    """The hazard is there and forbids to go on."""
    return Finding(guard=guard, level=Level.stop, cause=cause, evidence=evidence, command=command)


def unknown(guard: str, cause: str, evidence: str = "") -> Finding:
    """What must be known could not be read: forbids like `stop`."""
    return Finding(guard=guard, level=Level.unknown, cause=cause, evidence=evidence)


def topology_read(facts: Facts) -> bool:
    """Blue's domains and servers were read: a core that is not RUNNING is not asked for them."""
    return not facts.blue.core_error and facts.blue.state == RUNNING


def numbers(version: str) -> list[int]:
    """A version's parts, fit to be compared."""
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]
