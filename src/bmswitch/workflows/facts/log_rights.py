"""Reads who may write to a log that both sides use, as far as its ACLs tell. Nothing is read with a mirror."""

import msgspec

from bmswitch.kafka.acls import Acls
from bmswitch.model.config import Config, KafkaAcls
from bmswitch.model.guards.facts import LogRightsFacts, SideFacts
from bmswitch.workflows.facts.attempt import quietly


def log_rights(config: Config, source: SideFacts) -> LogRightsFacts:
    """The principals of both sides, and what ACLs say of the target's."""
    if config.replication.mode != "shared":
        return LogRightsFacts()
    mine, theirs = config.source.rights.kafka, config.target.rights.kafka
    found = LogRightsFacts(
        source=mine.principal if isinstance(mine, KafkaAcls) else "",
        target=theirs.principal if isinstance(theirs, KafkaAcls) else "",
        target_way=theirs is not None,
    )
    if not isinstance(theirs, KafkaAcls) or not source.installation_id:
        return found
    acls = Acls(config.target.kafka, theirs, source.installation_id)

    def asked() -> LogRightsFacts:
        denied, allowed = acls.there(), acls.allowed()
        return msgspec.structs.replace(found, target_denied=denied, target_allowed=allowed)

    told, error = quietly(asked, found)
    return msgspec.structs.replace(told, error=error)
