"""Prevents that everybody on the network reads the secrets of the log (traffic-and-objects.md C 53)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import PLAN, guard
from bmswitch.model.plan import Finding


@guard(53, asked=PLAN)
def log_closed(facts: Facts) -> Finding:
    """Both Kafka clusters are reached over TLS and with a name and password or a certificate."""
    bare = [f"{side.colour}: {side.protocol or 'PLAINTEXT'}" for side in facts.logs
            if side.protocol.upper() not in {"SASL_SSL", "SSL"}]  # fmt: skip
    if bare:
        return warn(
            "the log is read in clear from Kafka: it holds core tokens, bucket keys and password hashes",
            ", ".join(bare),
            "who reaches the broker's port can read and write all mail of the installation",
            "use SASL_SSL and access rights on Kafka; renew tokens and keys after the old side is gone",
        )
    return passed("both logs are read over TLS", ", ".join(side.protocol for side in facts.logs))
