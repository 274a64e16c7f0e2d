"""Guards about time: the machines of a switch must agree about it."""

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import passed, stop, warn
from bmswitch.model.preflight.facts import Facts

WARN_ABOVE = 2.0
STOP_ABOVE = 10.0
"""Seconds between the earliest and the latest clock; an HTTP date tells whole seconds only."""


def clocks_agree(facts: Facts) -> Finding:
    """Our machine, both cores and the bucket have the same time (traffic-and-objects.md C 51)."""
    told = {clock.name: clock.ahead for clock in facts.clocks if clock.ahead is not None}
    if not told:
        return warn("clocks_agree", "no machine's clock can be compared with ours", _untold(facts))
    spread = max(0.0, *told.values()) - min(0.0, *told.values())
    seen = ", ".join(f"{name} {ahead:+.1f} s" for name, ahead in told.items())
    mend = "synchronise the clocks of all machines (NTP)"
    if spread > STOP_ABOVE:
        return stop("clocks_agree", f"clocks are {spread:.0f} s apart", f"against ours: {seen}", mend)
    if spread > WARN_ABOVE:
        return warn(
            "clocks_agree",
            f"clocks are {spread:.1f} s apart",
            f"against ours: {seen}",
            "lease times, record dates and purge dates are wall-clock times",
            mend,
        )
    dark = [clock.name for clock in facts.clocks if clock.ahead is None and not clock.error]
    if dark:
        return warn("clocks_agree", f"{' and '.join(dark)} can not be asked for the time", "no HTTP Date header",
                    command="compare the clocks by hand: they must be within 0.5 s")  # fmt: skip
    later = "".join(f"; {clock.name} does not answer yet" for clock in facts.clocks if clock.error)
    return passed("clocks_agree", f"clocks agree: ours, {', '.join(told)}{later}", seen)


def _untold(facts: Facts) -> str:
    return "; ".join(f"{clock.name}: {clock.error or 'no HTTP Date header'}" for clock in facts.clocks)
