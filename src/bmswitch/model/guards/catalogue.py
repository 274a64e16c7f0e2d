"""Every guard, in the order in which they are asked. A new one: its file beside this, and a line here."""

from bmswitch.model.guards.bodies_in_bucket import bodies_in_bucket
from bmswitch.model.guards.bucket_of_the_source import bucket_of_the_source
from bmswitch.model.guards.bucket_readable import bucket_readable
from bmswitch.model.guards.bucket_versioned import bucket_versioned
from bmswitch.model.guards.caught_up import caught_up
from bmswitch.model.guards.certificates_alike import certificates_alike
from bmswitch.model.guards.certificates_good import certificates_good
from bmswitch.model.guards.clocks_agree import clocks_agree
from bmswitch.model.guards.clone_can_not_write import clone_can_not_write
from bmswitch.model.guards.clone_readers_stable import clone_readers_stable
from bmswitch.model.guards.cluster_ports_closed import cluster_ports_closed
from bmswitch.model.guards.compaction_waits import compaction_waits
from bmswitch.model.guards.deleted_by_one import deleted_by_one
from bmswitch.model.guards.disk import disk
from bmswitch.model.guards.documents_apart import documents_apart
from bmswitch.model.guards.documents_in_bucket import documents_in_bucket
from bmswitch.model.guards.documents_kept import documents_kept
from bmswitch.model.guards.edge_apart import edge_apart
from bmswitch.model.guards.fresh_bodies_there import fresh_bodies_there
from bmswitch.model.guards.frontends import frontends
from bmswitch.model.guards.guard import Guard, Moment
from bmswitch.model.guards.id_sequence_fresh import id_sequence_fresh
from bmswitch.model.guards.ids_well_formed import ids_well_formed
from bmswitch.model.guards.keys_can_write import keys_can_write
from bmswitch.model.guards.lag import lag
from bmswitch.model.guards.log_closed import log_closed
from bmswitch.model.guards.log_copies import log_copies
from bmswitch.model.guards.log_for_both import log_for_both
from bmswitch.model.guards.log_outlives_copy import log_outlives_copy
from bmswitch.model.guards.log_settings import log_settings
from bmswitch.model.guards.logs_readable import logs_readable
from bmswitch.model.guards.mail_ports_closed import mail_ports_closed
from bmswitch.model.guards.mail_queue_empty import mail_queue_empty
from bmswitch.model.guards.no_job_due import no_job_due
from bmswitch.model.guards.no_lost_records import no_lost_records
from bmswitch.model.guards.offsets_kept import offsets_kept
from bmswitch.model.guards.one_topic_a_domain import one_topic_a_domain
from bmswitch.model.guards.orphans import orphans
from bmswitch.model.guards.proof import proof
from bmswitch.model.guards.proxies_on_source import proxies_on_source
from bmswitch.model.guards.public_links_work import public_links_work
from bmswitch.model.guards.public_name_at_proxies import public_name_at_proxies
from bmswitch.model.guards.quarantine import quarantine
from bmswitch.model.guards.replicate_runs import replicate_runs
from bmswitch.model.guards.retention_long import retention_long
from bmswitch.model.guards.same_installation_id import same_installation_id
from bmswitch.model.guards.same_partitions import same_partitions
from bmswitch.model.guards.same_public_address import same_public_address
from bmswitch.model.guards.schema_upgraded import schema_upgraded
from bmswitch.model.guards.search_complete import search_complete
from bmswitch.model.guards.servers_mapped import servers_mapped
from bmswitch.model.guards.settings_equal import settings_equal
from bmswitch.model.guards.settings_of_its_own_host import settings_of_its_own_host
from bmswitch.model.guards.source_can_be_fenced import source_can_be_fenced
from bmswitch.model.guards.source_can_be_stopped import source_can_be_stopped
from bmswitch.model.guards.source_serves import source_serves
from bmswitch.model.guards.target_is_a_clone import target_is_a_clone
from bmswitch.model.guards.target_is_free import target_is_free
from bmswitch.model.guards.two_sites import two_sites
from bmswitch.model.guards.types_known import types_known
from bmswitch.model.guards.version_proven import version_proven
from bmswitch.model.guards.versions_as_told import versions_as_told

GUARDS: tuple[Guard, ...] = (
    two_sites,
    source_serves,
    target_is_free,
    target_is_a_clone,
    versions_as_told,
    version_proven,
    schema_upgraded,
    ids_well_formed,
    same_installation_id,
    logs_readable,
    log_closed,
    one_topic_a_domain,
    same_partitions,
    id_sequence_fresh,
    no_lost_records,
    log_settings,
    log_outlives_copy,
    log_copies,
    compaction_waits,
    offsets_kept,
    servers_mapped,
    edge_apart,
    log_for_both,
    clone_can_not_write,
    bucket_readable,
    bucket_of_the_source,
    bodies_in_bucket,
    bucket_versioned,
    deleted_by_one,
    retention_long,
    documents_in_bucket,
    documents_apart,
    documents_kept,
    settings_of_its_own_host,
    settings_equal,
    same_public_address,
    clocks_agree,
    proxies_on_source,
    public_name_at_proxies,
    certificates_good,
    certificates_alike,
    mail_ports_closed,
    cluster_ports_closed,
    mail_queue_empty,
    no_job_due,
    public_links_work,
    source_can_be_stopped,
    source_can_be_fenced,
    replicate_runs,
    caught_up,
    lag,
    clone_readers_stable,
    quarantine,
    types_known,
    orphans,
    proof,
    fresh_bodies_there,
    search_complete,
    frontends,
    keys_can_write,
    disk,
)


def asked_at(moment: Moment) -> tuple[Guard, ...]:
    """Those that are asked at one moment."""
    return tuple(guard for guard in GUARDS if moment in guard.asked)
