"""Prevents that both sides write to one log, or neither: a clone must not before its promotion, and must after it (C 8, 9)."""

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

_EVERYBODY = ":*"


@guard(8)
def clone_can_not_write(facts: Facts) -> Finding:
    """Each side has a log of its own, or the clone's right to write to the one log is withheld until its promotion."""
    if facts.mode == "mirror":
        return passed("each side writes to a log of its own")
    return _one_principal(facts) or _target(facts)


def _one_principal(facts: Facts) -> Finding | None:
    """Rights that can not be told apart."""
    source, target, rights = facts.source.colour, facts.target.colour, facts.log_rights
    everybody = [one for one in (rights.source, rights.target) if one.endswith(_EVERYBODY)]
    if everybody:
        return stop(
            f"{everybody[0]} is everybody: who loses that right takes it from both sides",
            "rights.kafka.principal",
            f"name the principals of {source}'s and {target}'s own cores",
        )
    if rights.source and rights.source == rights.target:
        return stop(
            f"{source} and {target} write to one log as the same principal",
            f"rights.kafka.principal is {rights.source} on both sides",
            "give each core its own principal",
            f"what is withdrawn from {source} at the fence is withdrawn from {target}",
        )
    return None


def _target(facts: Facts) -> Finding:
    source, target, rights = facts.source.colour, facts.target.colour, facts.log_rights
    if rights.error:
        return unknown(f"it is not known who may write to {source}'s log", rights.error)
    if not rights.target_way:
        return warn(
            f"it is not configured how {target}'s right to write to the log is withheld until its promotion",
            "from here nobody sees whether its core can",
            f"only its own marker /etc/bm/continuous.clone and ZooKeeper's latch keep it from {source}'s log",
            f"name {target}.rights.kafka, with a principal that is not {source}'s",
        )
    if rights.target_allowed is False:
        return stop(
            f"{target} could not write to the log when it leads: no ACL allows {rights.target} to",
            command=f"kafka-acls --add --allow-principal {rights.target} --operation Write, on the topics of the log",
        )
    if facts.switch is not None and rights.target_denied is False:
        return stop(
            f"{target}'s right to write to the log is there before its promotion",
            f"no ACL denies it to {rights.target}",
            "bmswitch replicate, started anew, withholds it",
        )
    return passed(f"{target} can not write to the log before its promotion", rights.target or "by a command")
