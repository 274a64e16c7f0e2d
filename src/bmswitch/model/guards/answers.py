"""How a guard answers: one finding per level; and what several guards ask alike. The guard's name is added by `Guard`."""

from bmswitch.model.guards.facts import RUNNING, MachineFacts, SideFacts
from bmswitch.model.plan import Finding, Level


def passed(cause: str, evidence: str = "") -> Finding:
    """The hazard is not there."""
    return Finding(guard="", level=Level.passed, cause=cause, evidence=evidence)


def warn(cause: str, evidence: str = "", consequence: str = "", command: str = "") -> Finding:
    """The hazard is there, or is not known to be away, and does not forbid to go on."""
    return Finding(
        guard="", level=Level.warn, cause=cause, evidence=evidence, consequence=consequence, command=command
    )


def stop(cause: str, evidence: str = "", command: str = "", consequence: str = "") -> Finding:
    """The hazard is there and forbids to go on."""
    return Finding(
        guard="", level=Level.stop, cause=cause, evidence=evidence, consequence=consequence, command=command
    )


def unknown(cause: str, evidence: str = "", command: str = "") -> Finding:
    """What must be known could not be read: forbids like `stop`."""
    return Finding(guard="", level=Level.unknown, cause=cause, evidence=evidence, command=command)


def topology_read(side: SideFacts) -> bool:
    """Its domains and servers were read: a core that is not RUNNING is not asked for them."""
    return not side.core_error and side.state == RUNNING


def unread(told: dict[MachineFacts, int]) -> str:
    """Which machines did not tell their number (it is -1), and why; empty when each of them told it."""
    if not told:
        return "no machine of the topology was asked"
    return "; ".join(f"{one.uid}: {one.error}" for one, number in told.items() if number < 0)


def some(names: list[str], most: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
