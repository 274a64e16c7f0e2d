"""Prevents that accepted mail stays in the source's queue: it never finds the target by itself (A4, C 10)."""

from bmswitch.model.guards.answers import passed, unread, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(10)
def mail_queue_empty(facts: Facts) -> Finding:
    """No mail waits in Postfix on the source's machines."""
    colour = facts.source.colour
    told = {one: one.queued for one in facts.machines if one.colour == colour and one.queued is not None}
    full = [f"{one.uid}: {number}" for one, number in told.items() if number > 0]
    if full:
        return warn(
            f"mails wait in Postfix on {colour}",
            ", ".join(full),
            f"addresses of {colour}'s machines are written into them: after the switch they are not delivered",
            "flush the queue (`postqueue -f`) shortly before the switch, and look at it afterwards",
        )
    if why := unread(told):
        return warn(
            f"{colour}'s mail queue could not be read everywhere",
            why,
            command=f"`postqueue -p` on {colour} yourself",
        )
    return passed(f"no mail waits in Postfix on {colour}")
