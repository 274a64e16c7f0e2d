"""Prevents a target that leads and can not store a mail: its key must write before the promotion, not after it (C 16)."""

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts, KeyFacts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(14, 16, asked=GATE)
def keys_can_write(facts: Facts) -> Finding:
    """A canary can be put to the bucket, looked at and deleted with the target's own key (and the source's)."""
    keys = {key.colour: key for key in facts.at_gate.keys}
    source, target = facts.source.colour, facts.target.colour
    if facts.at_gate.dry:
        return passed("not tried: a dry run writes nothing")
    if target not in keys:
        return warn(
            f"it is not known whether {target}'s key may write to the bucket",
            consequence=f"with a read-only key {target} would refuse every mail after the promotion",
            command=f"name {target}.bucket_key in the configuration",
        )
    for key in keys.values():
        if (found := _wrong(key)) is not None:
            return found
    if source in keys and keys[source].same_as_other:
        if "the bucket" in facts.missing_rights:
            return warn(
                f"{source} and {target} share one key to the bucket", "neither can be fenced from it alone"
            )
        return stop(
            f"{source} and {target} share one key to the bucket: withdrawing {source}'s right would stop {target}",
            command="give each side a key of its own (sysconf sds_s3_access_key)",
        )
    return passed(f"{' and '.join(sorted(keys))} can write to the bucket")


def _wrong(key: KeyFacts) -> Finding | None:
    if key.error:
        return unknown(
            f"it can not be found out whether {key.colour}'s key may write to the bucket", key.error
        )
    if not key.may_write:
        return stop(
            f"the bucket refuses to let {key.colour}'s key write",
            "PUT, HEAD and DELETE of a canary",
            f"give that key the right to put and delete, or correct {key.colour}.bucket_key",
        )
    return None
