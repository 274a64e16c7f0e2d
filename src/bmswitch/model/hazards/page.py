"""docs/hazards.md, made from the hazards and the guards: `python -m bmswitch.model.hazards.page > docs/hazards.md`."""

import sys
from collections.abc import Iterator

from bmswitch.model.guards import GUARDS, Guard
from bmswitch.model.guards.skipping import NEVER
from bmswitch.model.hazards import MEANS, PARTS, Hazard

_HEAD = """# Hazards of a switch, and what bmswitch does about each

<!-- made by: python -m bmswitch.model.hazards.page > docs/hazards.md -->

The 54 hazards are those of traffic-and-objects.md part C. This page is made from the guards (`src/bmswitch/model/guards`, one
file each) and from the table in `src/bmswitch/model/hazards`; a test holds it up to date and its names to be real.

*Guards* are asked by `bmswitch plan` (p), by `bmswitch cutover` at the last moment before the hold (g), or by both.
A *cure* is a file in `src/bmswitch/replication/cures`, a *phase* one of the switch (`docs/switch.md`). The guard
`proof` refuses a switch whose last `bmswitch verify` does not say equal. *Source* is the side that serves, *target* its clone: the switch
goes both ways.

Guards only look. On the source's machines they let BlueMind's node agent run `grep -c` in the core log (`machines.core_log`) and
`postqueue -p` (and `plan` on both sides `df -Pk`); `machines: {ask: false}` in the configuration of a side forbids it. What the broker, the bucket or a machine does not
tell is a warning and never a pass; what must be known and can not be read forbids the switch.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| state | means | hazards |"
    yield "| --- | --- | --- |"
    for state, means in MEANS.items():
        yield f"| {state} | {means} | {sum(h.state == state for _, part in PARTS for h in part)} |"
    for title, hazards in PARTS:
        yield f"\n## {title}\n"
        yield "| # | hazard | state | guards | what bmswitch does, and what is left to you |"
        yield "| --- | --- | --- | --- | --- |"
        for hazard in hazards:
            yield f"| {hazard.number} | {hazard.what} | {hazard.state} | {_guards(hazard)} | {_text(hazard)} |"
    yield "\n## Every guard\n"
    yield "`bmswitch plan skip NAME --reason TEXT --who NAME` lets a run go on whatever that guard says; it stands in the plan file, and the"
    yield "switch says it again. Some are never skipped, because nothing behind them would find the loss.\n"
    yield "| guard | asked by | is content when | never skipped, because |"
    yield "| --- | --- | --- | --- |"
    for guard in GUARDS:
        never = NEVER.get(guard.name, "")
        yield f"| `{guard.name}` | {', '.join(guard.asked)} | {guard.says} | {never} |"


def _guards(hazard: Hazard) -> str:
    return ", ".join(f"`{g.name}` ({_moments(g)})" for g in GUARDS if hazard.number in g.hazards)


def _moments(guard: Guard) -> str:
    return "".join(moment[0] for moment in guard.asked)


def _text(hazard: Hazard) -> str:
    if not hazard.why:
        return hazard.does
    return f"{hazard.does}. *Not from outside:* {hazard.why} *You:* {hazard.do}"


if __name__ == "__main__":
    sys.stdout.write(page())
