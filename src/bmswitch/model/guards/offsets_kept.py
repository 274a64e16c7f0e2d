"""Prevents that a reader's place expires while it stands still, and a clone begins anew (traffic-and-objects.md C 28)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

KEY = "offsets.retention.minutes"
WEEK = 7 * 24 * 60


@guard(28)
def offsets_kept(facts: Facts) -> Finding:
    """Both brokers keep the places of idle readers for a week at least."""
    short = [
        f"{side.colour}: {int(side.broker[KEY]) / 1440:g} days"
        for side in facts.logs
        if side.broker.get(KEY, "").isdigit() and int(side.broker[KEY]) < WEEK
    ]
    if short:
        return warn(
            "a broker forgets the place of a reader that stood still",
            f"{KEY}: {', '.join(short)}",
            "a clone that was paused for longer reads everything again, deletions of documents included",
            f"set {KEY} to {WEEK} or more",
        )
    told = [side.colour for side in facts.logs if KEY in side.broker]
    if not told:
        return warn(
            f"no broker tells its {KEY}", command=f"kafka-configs --describe: {KEY} must be {WEEK} or more"
        )
    return passed(f"readers keep their places for a week ({' and '.join(told)} told)")
