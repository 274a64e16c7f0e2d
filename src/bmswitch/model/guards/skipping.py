"""Which guards an operator may skip by name and reason, and which never: those whose breach certainly loses or mixes data.

A guard that is never skipped has no false alarm worth the risk: what it looks at is either so or not known, and behind it there is
nothing that would still find the loss. All others end in an attempt that is put back, a poorer service, or work for people.
"""

from collections.abc import Iterable

import msgspec

from bmswitch.model.decisions import Skip
from bmswitch.model.plan import Finding

NEVER: dict[str, str] = {
    "two_sites": "a log that is copied onto itself can not be told from its copy any more",
    "source_serves": "a side that does not lead logs nothing: what somebody else takes would be missing",
    "target_is_free": "a clone over an installation that is in use destroys its mail",
    "target_is_a_clone": "two sides that both lead both take writes, and one of them loses them",
    "versions_as_told": "an older version drops the fields that it does not know, without a word",
    "ids_well_formed": "the log is found by the installation id: with a wrong one another log is copied",
    "logs_readable": "what can not be read can not be copied",
    "one_topic_a_domain": "a domain without a topic is missing on the other side, whole",
    "same_partitions": "records that change their partition lose their order: older ones win",
    "id_sequence_fresh": "a core that does not reach its log takes writes that no log has",
    "log_settings": "records that the broker deletes by age are gone before they are copied",
    "log_outlives_copy": "records that are deleted before they are copied are missing",
    "servers_mapped": "a clone without an address for a server reconfigures production's machine",
    "log_for_both": "a clone that does not find what it needs ends, or leads another log than the one that is read",
    "clone_can_not_write": "what two sides write to one log can not be told apart; what neither may write is missing in it",
    "bucket_readable": "no body can be proven to be there",
    "bucket_of_the_source": "bodies are looked for where they are not: the proof would say nothing",
    "deleted_by_one": "what the old side deletes from the shared bucket is gone for both",
    "bodies_in_bucket": "bodies on the old machines' disks are missing on the new side",
    "proxies_on_source": "clients of a node that points elsewhere write where nobody copies from",
    "replicate_runs": "what is written from now on would be missing",
    "caught_up": "what is still under way would be missing",
    "quarantine": "each parked record is accepted by itself: bmswitch quarantine accept",
    "orphans": "a domain, server or setting that came after the clone began is missing",
    "proof": "what differs is lost without anybody knowing what it was",
    "fresh_bodies_there": "the newest mails would open empty",
}
"""Guards that are never skipped, and what would be lost."""


def marked(finding: Finding, skips: Iterable[Skip]) -> Finding:
    """The finding, with who skipped its guard and why. A skip that is not allowed (somebody edited the file) is no skip."""
    found = next((one for one in skips if one.guard == finding.guard), None)
    if found is None or finding.guard in NEVER or not (found.reason and found.who):
        return finding
    return msgspec.structs.replace(finding, skipped=f"{found.who}, {found.at}: {found.reason}")
