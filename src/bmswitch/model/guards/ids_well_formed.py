"""Prevents a clone that finds no topic: an installation id with a line end (clone-and-api.md 7.3)."""

import re

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

_ID = re.compile(r"bluemind-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@guard()
def ids_well_formed(facts: Facts) -> Finding:
    """Both installation ids are `bluemind-<uuid>`."""
    for side in facts.sides:
        iid = side.installation_id
        if iid and not _ID.fullmatch(iid):
            return stop(
                f"{side.colour}'s installation id is not of the form bluemind-<uuid>",
                repr(iid),
                f"correct {side.colour}.installation_id: no space, no line end",
            )
    source = facts.source
    if not source.installation_id:
        return unknown(f"{source.colour}'s installation id is not known", source.kafka_error)
    return passed("installation ids are well formed", source.installation_id)
