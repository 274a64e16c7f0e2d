"""The commands of a run in their order: what each does, what clients notice, how it is undone."""

from bmswitch.model.config import Config
from bmswitch.model.plan import Step


def steps(config: Config) -> list[Step]:
    """The commands in their order, for the direction of the configuration."""
    source, target = config.serving, config.standby
    folded = ", its first pass folded" if config.replication.fold else ""
    return [
        Step(
            command="provision",
            does=f"builds {target}, writes 64 hidden probe entries into each of {source}'s domains",
            clients="notice nothing",
            undone_by=f"removing {target}; the probe entries may stay",
        ),
        Step(
            command="replicate",
            does=f"copies {source}'s log to {target}'s Kafka, cured{folded}, and keeps it there; starts {target}'s native clone",
            clients="notice nothing",
            undone_by="stopping it",
        ),
        Step(
            command="verify",
            does="reads both sides and compares every container, item and body",
            clients="notice nothing",
            undone_by="nothing to undo: it only reads, but for its barrier's probe entries",
        ),
        Step(
            command="cutover" if source == "blue" else "return",
            does=f"holds, drains, fences {source}, proves, promotes {target}, flips the proxies, releases",
            clients="wait for the hold, then go on; web users log in again",
            undone_by=f"--abort until {target} has taken a client's write; then standby and return",
        ),
    ]
