"""What guards of the system configuration share: what the target has, or will have once its clone has read the log."""

from bmswitch.model.guards.facts import Facts


def of_target(facts: Facts) -> dict[str, str]:
    """The target's settings; before its clone has any, the source's with the overrides put over them (B1)."""
    if facts.switch is not None and facts.target.sysconf:
        return facts.target.sysconf
    return (facts.source.sysconf or {}) | facts.override
