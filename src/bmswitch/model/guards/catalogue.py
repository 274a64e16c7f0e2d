"""Every guard, in the order in which they are asked. A new one: its file beside this, and a line here."""

from bmswitch.model.guards.bodies_in_bucket import bodies_in_bucket
from bmswitch.model.guards.bucket_readable import bucket_readable
from bmswitch.model.guards.caught_up import caught_up
from bmswitch.model.guards.clocks_agree import clocks_agree
from bmswitch.model.guards.disk import disk
from bmswitch.model.guards.edge_apart import edge_apart
from bmswitch.model.guards.frontends import frontends
from bmswitch.model.guards.guard import Guard, Moment
from bmswitch.model.guards.id_sequence_fresh import id_sequence_fresh
from bmswitch.model.guards.ids_well_formed import ids_well_formed
from bmswitch.model.guards.keys_can_write import keys_can_write
from bmswitch.model.guards.lag import lag
from bmswitch.model.guards.log_copies import log_copies
from bmswitch.model.guards.log_settings import log_settings
from bmswitch.model.guards.logs_readable import logs_readable
from bmswitch.model.guards.mode_supported import mode_supported
from bmswitch.model.guards.one_topic_a_domain import one_topic_a_domain
from bmswitch.model.guards.orphans import orphans
from bmswitch.model.guards.proof import proof
from bmswitch.model.guards.proxies_on_source import proxies_on_source
from bmswitch.model.guards.quarantine import quarantine
from bmswitch.model.guards.replicate_runs import replicate_runs
from bmswitch.model.guards.retention_long import retention_long
from bmswitch.model.guards.same_partitions import same_partitions
from bmswitch.model.guards.servers_mapped import servers_mapped
from bmswitch.model.guards.source_can_be_fenced import source_can_be_fenced
from bmswitch.model.guards.source_can_be_stopped import source_can_be_stopped
from bmswitch.model.guards.source_serves import source_serves
from bmswitch.model.guards.target_is_a_clone import target_is_a_clone
from bmswitch.model.guards.target_is_free import target_is_free
from bmswitch.model.guards.two_sites import two_sites
from bmswitch.model.guards.versions_as_told import versions_as_told

GUARDS: tuple[Guard, ...] = (
    two_sites,
    source_serves,
    target_is_free,
    target_is_a_clone,
    versions_as_told,
    ids_well_formed,
    logs_readable,
    one_topic_a_domain,
    same_partitions,
    id_sequence_fresh,
    log_settings,
    log_copies,
    servers_mapped,
    edge_apart,
    mode_supported,
    bucket_readable,
    bodies_in_bucket,
    retention_long,
    clocks_agree,
    proxies_on_source,
    source_can_be_stopped,
    source_can_be_fenced,
    replicate_runs,
    caught_up,
    lag,
    quarantine,
    orphans,
    proof,
    frontends,
    keys_can_write,
    disk,
)


def asked_at(moment: Moment) -> tuple[Guard, ...]:
    """Those that are asked at one moment."""
    return tuple(guard for guard in GUARDS if moment in guard.asked)
