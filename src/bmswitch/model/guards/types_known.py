"""Prevents that record types which nobody knows are taken for restored (C 21): a clone drops what it has no restorer for."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

_SHOWN = 5


@guard(21, 44, asked=GATE)
def types_known(facts: Facts) -> Finding:
    """Every record that was copied is of a type that bmswitch knows."""
    found = facts.at_gate.unknown_types
    if facts.mode == "shared":
        return warn(
            "nobody looked at the types of the log's records: nothing is copied",
            consequence=f"a type that {facts.target.colour}'s clone has no restorer for is dropped there without a word",
            command="bmswitch verify compares what it reads on both sides; bmswitch cures types names the known ones",
        )
    if not found:
        return passed("every record is of a known type")
    most = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return warn(
        f"{sum(found.values()):,} records of {len(found)} unknown types were copied as they are",
        "; ".join(f"{count:,} of {name}" for name, count in most[:_SHOWN]),
        "bmswitch cures types; see on the target whether its clone has restored them",
    )
