"""What the guards look at: facts about both sites, the bucket and the proxies, as they were read. Plain data.

`source` is the side that serves, `target` its clone: the switch goes both ways. Colours are for what is said to people.
"""

from collections import Counter
from typing import Literal

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.decisions import Accepted
from bmswitch.model.proof import Proof
from bmswitch.model.status import ReplicateStatus

RUNNING = "CORE_STATE_RUNNING"
NOT_INSTALLED = "CORE_STATE_NOT_INSTALLED"
CLONING = "CORE_STATE_CLONING"
DEMOTED = "CORE_STATE_DEMOTED"

ARCHIVE_KIND = "archive_kind"
RETENTION = "sds_backup_rentention_days"
"""BlueMind's own spelling (traffic-and-objects.md B1)."""


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One side as read. An `error` text says why a part could not be read; what it covers is then empty.

    `wanted_version` is the configured one. `edges` are the uids of servers with an edge's tag, `tags` those of each; `copies` the fewest
    copies of a partition of each topic; `settings` what the broker tells of each topic. `sysconf` is the system
    configuration, None when the core is in no state to tell it; each value that may be secret is a digest.
    `needs_upgrade`: its schema upgraders have not run. `tells_settings` false: the configuration says that its brokers do not tell
    their settings. `broker` is what a broker tells of itself; `nodes_topic` the copies
    of the cluster's own topic, 0 when it is not there; `protocol` how we reach Kafka; `readers` the state of each consumer group of a
    clone; `gone` counts records before the first one of each topic, `oldest` is the age (seconds) of the first record of those
    that are deleted from; `jobs` the next run (epoch ms) of each planned job; `documents` counts searchable documents, -1 when not told.
    """

    colour: Colour
    url: str
    wanted_version: str
    state: str = ""
    version: str = ""
    installation_id: str = ""
    domains: list[str] = []
    servers: dict[str, str] = {}
    edges: list[str] = []
    tags: dict[str, list[str]] = {}
    core_error: str = ""
    kafka_cluster_id: str = ""
    topics: dict[str, int] = {}
    records: dict[str, int] = {}
    copies: dict[str, int] = {}
    gone: dict[str, int] = {}
    oldest: dict[str, float] = {}
    settings: dict[str, dict[str, str]] = {}
    settings_error: str = ""
    tells_settings: bool = True
    kafka_error: str = ""
    sysconf: dict[str, str] | None = None
    sysconf_error: str = ""
    needs_upgrade: bool = False
    broker: dict[str, str] = {}
    nodes_topic: int = 0
    protocol: str = ""
    readers: dict[str, str] = {}
    readers_error: str = ""
    jobs: dict[str, int] = {}
    jobs_error: str = ""
    documents: int = -1
    documents_error: str = ""


class NodeFacts(msgspec.Struct, frozen=True):
    """One proxy node as read back: colour blue, green or unknown; `hold_until_ms` 0 when nothing is held."""

    name: str
    colour: str
    hold_until_ms: int
    error: str = ""


class ClockFacts(msgspec.Struct, frozen=True):
    """One machine's clock by its HTTP `Date`: seconds that it is `ahead` of ours (resolution 1 s).

    `ahead` is None when it was not told: `error` says why when there was no answer at all.
    """

    name: str
    ahead: float | None
    error: str = ""


class BucketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The shared bucket. `bodies` is -1 when they were not counted: `error` says why when it could not be read.

    `bytes` are those of the bodies as they are stored, `sample` the names of some. `documents` counts `doc-fs-*` (photos, icons), -1 when they were not counted; `documents_before` is their number when the plan
    was made. `versioning` is Enabled, Suspended, Off, or empty when it is not told. `keeps_deleted_days` is for how long the
    lifecycle keeps a deleted version, None: for ever; `expires` the rules by which it deletes by itself.
    """

    error: str = ""
    name: str = ""
    endpoint: str = ""
    bodies: int = -1
    bytes: int = -1
    sample: list[str] = []
    documents: int = -1
    documents_before: int = -1
    versioning: str = ""
    keeps_deleted_days: int | None = None
    expires: list[str] = []
    settings_error: str = ""


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of a side, asked through its BlueMind node agent. None: not its role; -1: not told, and `error` says why.

    `lost` counts lines of the core log that tell of a record that was not stored; `queued` mails in Postfix's queue.
    """

    colour: Colour
    uid: str
    lost: int | None = None
    queued: int | None = None
    error: str = ""


class PortFacts(msgspec.Struct, frozen=True):
    """A port of a side's machine that a connection from here reached."""

    colour: Colour
    address: str
    port: int


class CertificateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate of one TLS listener: SHA-256 of it, and until when it is valid (epoch seconds, 0 not told).

    `error` says why there is none; `verified` is empty when a client trusts it, else why not. `colour` is the side whose
    machine it is on, empty for a proxy's frontend.
    """

    at: str
    host: str
    port: int
    colour: str = ""
    fingerprint: str = ""
    until: float = 0.0
    verified: str = ""
    error: str = ""


class PublicFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the public name leads: `addresses` of `host`, beside those of the proxies' frontends. `error`: not resolved."""

    host: str = ""
    addresses: list[str] = []
    proxies: list[str] = []
    error: str = ""


class LinkFacts(msgspec.Struct, frozen=True):
    """One public link as anybody gets it: its HTTP status, 0 with an error."""

    url: str
    status: int
    error: str = ""


class ParkedFacts(msgspec.Struct, frozen=True):
    """One record that could not be understood, and what was decided about it; `who` accepted it."""

    number: int
    reason: str
    state: Literal["parked", "accepted", "retried"]
    who: str = ""


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket let one side's own key do with a canary. `error`: it could not be found out."""

    colour: Colour
    may_write: bool = False
    same_as_other: bool = False
    error: str = ""


class LogRightsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Who may write to a log that both sides use: principals as configured, empty where they are not.

    `target_way`: it is configured how the target's right is withheld. `target_denied`: an ACL denies it now, `target_allowed`: another one
    allows it; None where ACLs are not asked for it. Nothing is set with a mirror.
    """

    source: str = ""
    target: str = ""
    target_way: bool = False
    target_denied: bool | None = None
    target_allowed: bool | None = None
    error: str = ""


class SwitchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known only once the copy runs: asked at the gate. `*_error` says why a part could not be read.

    `orphans` are changes that a clone reads only once; `frontend_faults` what a client would see go wrong now. `keys` are
    those that are configured; `dry`: nothing may be written, so they were not tried. `fresh_bodies` are those that the newest
    records of the log name, `fresh_missing` the ones that the bucket does not have. `unknown_types` counts the copied records of each
    type (`type class`) that bmswitch does not know. `accepted` are the differences that the plan accepts.
    """

    plan_id: str
    max_lag: float
    status: ReplicateStatus | None = None
    proof: Proof | None
    frontend_faults: list[str] = []
    free_bytes: int
    orphans: list[str] = []
    orphans_error: str = ""
    parked: list[ParkedFacts] = []
    parked_error: str = ""
    unknown_types: dict[str, int] = {}
    keys: list[KeyFacts] = []
    dry: bool = False
    fresh_bodies: int = 0
    fresh_missing: list[str] = []
    fresh_error: str = ""
    accepted: list[Accepted] = []


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the guards look at; `now` is epoch seconds.

    `heartbeat_age` is the age in seconds of the newest id sequence record, None when there is none. `new_topic_bytes`
    is the record limit of topics that bmswitch makes on the target, `new_topic_copies` their copies, both 0 when a command
    of the operator makes them. `override` is what the clone puts over the source's system configuration (digests, too).
    `open_ports` are those of a fixed list that a connection from here reached. `missing_rights` are the parts whose writing can
    not be withdrawn from the source; `rate` is the configured limit of the copy in records a second, 0 for none; `same_bucket_keys`: the
    configured bucket_key of both sides is one, None when one of them is not configured; `unproven_policy`: a bucket policy without a key
    to see that it is applied. `switch` is None
    before the copy runs; `sequence_gaps` are servers for which the newest id sequence has no number (shared mode only); `back` marks the way back of an upgrade.
    """

    now: float
    source: SideFacts
    target: SideFacts
    server_map: dict[str, str]
    mode: str
    rate: float = 0.0
    bucket: BucketFacts
    nodes: list[NodeFacts]
    entries_by_domain: dict[str, dict[str, int]] = {}
    heartbeat_age: float | None = None
    heartbeat_error: str = ""
    sequence_gaps: list[str] = []
    sequence_error: str = ""
    log_rights: LogRightsFacts = LogRightsFacts()
    clocks: list[ClockFacts] = []
    new_topic_bytes: int = 0
    new_topic_copies: int = 0
    missing_commands: list[str] = []
    missing_rights: list[str] = []
    unproven_policy: bool = False
    same_bucket_keys: bool | None = None
    override: dict[str, str] = {}
    machines: list[MachineFacts] = []
    open_ports: list[PortFacts] = []
    certificates: list[CertificateFacts] = []
    public: PublicFacts = PublicFacts()
    links: list[LinkFacts] = []
    switch: SwitchFacts | None = None
    back: bool = False

    @property
    def entries(self) -> dict[str, int]:
        """Directory entries of all domains by kind."""
        kinds: Counter[str] = Counter()
        for of_domain in self.entries_by_domain.values():
            kinds.update(of_domain)
        return dict(sorted(kinds.items()))

    @property
    def sides(self) -> tuple[SideFacts, SideFacts]:
        """Source and target."""
        return self.source, self.target

    @property
    def logs(self) -> tuple[SideFacts, ...]:
        """The sides that have a log of their own: the source alone where both use one Kafka."""
        return (self.source,) if self.mode == "shared" else self.sides

    @property
    def at_gate(self) -> SwitchFacts:
        """What only the gate knows: guards that are asked there alone may take it for granted."""
        if self.switch is None:
            raise AssertionError("this guard is asked at the gate only")
        return self.switch
