"""Prevents that both sides delete from the bucket that they share: what the old one deletes is gone for both (B6, B8, C 14, 48)."""

from bmswitch.model.guards.answers import passed, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.guards.settings import of_target
from bmswitch.model.plan import Finding

KEY = "sds_s3_access_key"


@guard(14, 48)
def deleted_by_one(facts: Facts) -> Finding:
    """Each side has a key of its own to the bucket; with one for both, the source's right or its core can be taken away."""
    source, target = facts.source.colour, facts.target.colour
    same = _same(facts)
    if same is False:
        return passed("each side has a key of its own to the bucket")
    if same is None:
        return warn(
            "it is not known whether both sides may delete from the bucket",
            f"neither bucket_key of both sides nor {source}'s {KEY} is told",
            "timers of the old side delete bodies that the new one still needs",
            f"name {source}.bucket_key and {target}.bucket_key in the configuration",
        )
    if "the bucket" in facts.missing_rights and "stop" in facts.missing_commands:
        return stop(
            "both sides may delete from the shared bucket, and nothing takes that away from the old one",
            f"one key for both; neither {source}.rights.bucket nor {source}.core.stop is configured",
            f"give {target} a key of its own (replication.sysconf_override: {KEY}), or configure one of both",
            "a body that the old side's timers delete after the switch is lost for both, for good",
        )
    return warn(
        "both sides may delete from the shared bucket until the switch",
        "one key for both",
        f"timers of {target}'s core run while it is a clone, too",
        f"give {target} a key of its own that may not delete (replication.sysconf_override: {KEY})",
    )


def _same(facts: Facts) -> bool | None:
    """One key for both: as the configuration names them, else by the settings of both sides."""
    if facts.same_bucket_keys is not None:
        return facts.same_bucket_keys
    mine = (facts.source.sysconf or {}).get(KEY)
    return of_target(facts).get(KEY) == mine if mine else None
