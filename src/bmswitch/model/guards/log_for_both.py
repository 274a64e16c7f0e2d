"""Prevents that a clone on the source's own Kafka ends at once, or reads another log (clone-and-api.md 0, 1.8, 3.1)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding
from bmswitch.model.topics import CRP


@guard()
def log_for_both(facts: Facts) -> Finding:
    """The target's site gets its own copy of the log, or the log has all that a clone needs without any cure."""
    source, target = facts.source, facts.target
    if facts.mode == "mirror":
        return passed(f"{target.colour}'s site gets its own copy of the log")
    if source.kafka_error or facts.sequence_error:
        why = source.kafka_error or facts.sequence_error
        return unknown(f"it is not known whether {source.colour}'s log has what a clone needs", why)
    wrong = _wrong(facts)
    if wrong:
        return stop(
            f"{target.colour}'s clone can not live on {source.colour}'s log as it is",
            "; ".join(wrong),
            "mend that, or say replication.mode: mirror, which cures it on the way",
            f"{target.colour}'s clone would end at once, and nothing is cured in shared mode",
        )
    return passed(
        f"{target.colour}'s clone reads {source.colour}'s own log", "nothing is copied, nothing is cured"
    )


def _wrong(facts: Facts) -> list[str]:
    """What only a cure would help against."""
    source, target = facts.source, facts.target
    found: list[str] = []
    if not any(topic.endswith(CRP) for topic in source.topics):
        found.append(
            "there is no topic of directory entries: BlueMind's reverse proxy (bm-crp) writes it, which does not run on this log"
        )
    if target.installation_id and target.installation_id != source.installation_id:
        found.append(
            f"{target.colour}.installation_id is another one: it would lead topics of its own, and nobody reads those"
        )
    if facts.sequence_gaps:
        found.append(f"the newest id sequence has no number for {', '.join(facts.sequence_gaps)}")
    return found
