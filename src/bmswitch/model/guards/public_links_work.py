"""Prevents that links to shared files and calendars are broken unseen (traffic-and-objects.md C 45)."""

from bmswitch.model.guards.answers import passed, some, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(45)
def public_links_work(facts: Facts) -> Finding:
    """Each public link of the configuration is answered with 200 now, so that it can be compared after the switch."""
    if not facts.links:
        return warn(
            "no public link is named: nobody tests whether shared files and calendars still open",
            command="name one of each kind under public_links in the configuration",
        )
    broken = [f"{one.url}: {one.error or one.status}" for one in facts.links if one.status != 200]
    if broken:
        return stop("a public link does not work before the switch", some(broken, 3), "correct public_links")
    return passed(f"{len(facts.links)} public link(s) work")
