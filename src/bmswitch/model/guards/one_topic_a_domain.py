"""Prevents a clone that waits for ever: it counts domains and topics (clone-and-api.md 2.9)."""

from bmswitch.model.guards.answers import passed, stop, topology_read, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard()
def one_topic_a_domain(facts: Facts) -> Finding:
    """Every domain has its topic, in the target's log too once it is copied."""
    source = facts.source
    if not topology_read(source) or source.kafka_error:
        return unknown(f"{source.colour} could not be read whole")
    missing = [d for d in source.domains if not any(t.endswith(f"-{d}") for t in source.topics)]
    if missing:
        return stop("a domain has no topic in the log", ", ".join(missing), "bm-cli setup clone-init")
    copied = facts.switch is not None and facts.mode == "mirror" and not facts.target.kafka_error
    lost = [d for d in source.domains if not any(t.endswith(f"-{d}") for t in facts.target.topics)]
    if copied and lost:
        return stop(
            f"a domain of {source.colour} is missing in {facts.target.colour}'s log",
            ", ".join(lost),
            "bmswitch plan, then replicate: the plan was made before that domain",
        )
    return passed(f"{len(source.domains)} domain(s), each with its topic")
