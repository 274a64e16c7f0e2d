"""Prevents leases, dates and signatures that two machines understand differently (traffic-and-objects.md C 51)."""

from bmswitch.model.guards.answers import passed, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

WARN_ABOVE = 2.0
STOP_ABOVE = 10.0
"""Seconds between the earliest and the latest clock; an HTTP date tells whole seconds only."""


@guard(51)
def clocks_agree(facts: Facts) -> Finding:
    """Our machine, both cores and the bucket have the same time."""
    told = {clock.name: clock.ahead for clock in facts.clocks if clock.ahead is not None}
    if not told:
        return warn("no machine's clock can be compared with ours", _untold(facts))
    spread = max(0.0, *told.values()) - min(0.0, *told.values())
    seen = ", ".join(f"{name} {ahead:+.1f} s" for name, ahead in told.items())
    mend = "synchronise the clocks of all machines (NTP)"
    if spread > STOP_ABOVE:
        return stop(f"clocks are {spread:.0f} s apart", f"against ours: {seen}", mend)
    if spread > WARN_ABOVE:
        return warn(
            f"clocks are {spread:.1f} s apart",
            f"against ours: {seen}",
            "lease times, record dates and purge dates are wall-clock times",
            mend,
        )
    dark = [clock.name for clock in facts.clocks if clock.ahead is None and not clock.error]
    if dark:
        return warn(
            f"{' and '.join(dark)} can not be asked for the time",
            "no HTTP Date header",
            command="compare the clocks by hand: they must be within 0.5 s",
        )
    later = "".join(f"; {clock.name} does not answer yet" for clock in facts.clocks if clock.error)
    return passed(f"clocks agree: ours, {', '.join(told)}{later}", seen)


def _untold(facts: Facts) -> str:
    return "; ".join(f"{clock.name}: {clock.error or 'no HTTP Date header'}" for clock in facts.clocks)
