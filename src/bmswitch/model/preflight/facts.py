"""What the guards look at: facts about both sites, the bucket and the proxies, as they were read. Plain data."""

import msgspec

RUNNING = "CORE_STATE_RUNNING"
NOT_INSTALLED = "CORE_STATE_NOT_INSTALLED"
CLONING = "CORE_STATE_CLONING"
DEMOTED = "CORE_STATE_DEMOTED"

ARCHIVE_KIND = "archive_kind"
RETENTION = "sds_backup_rentention_days"
"""BlueMind's own spelling (traffic-and-objects.md B1)."""
SYSCONF_KEYS = (ARCHIVE_KIND, RETENTION)
"""The keys that may leave the system configuration: the others hold secrets."""


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One side as read. An `error` text says why a part could not be read; what it covers is then empty.

    `edges` are the uids of servers with an edge's tag; `copies` the fewest copies of a partition of each topic; `settings`
    what the broker tells of each topic.
    """

    url: str
    state: str = ""
    version: str = ""
    installation_id: str = ""
    domains: list[str] = []
    servers: dict[str, str] = {}
    edges: list[str] = []
    core_error: str = ""
    kafka_cluster_id: str = ""
    topics: dict[str, int] = {}
    records: dict[str, int] = {}
    copies: dict[str, int] = {}
    settings: dict[str, dict[str, str]] = {}
    settings_error: str = ""
    kafka_error: str = ""


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


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the guards look at. `bodies` is -1 when the bucket could not be read (see `bucket_error`).

    `sysconf` holds harmless keys of blue's system configuration only. `heartbeat_age` is the age in seconds of the newest id
    sequence record, None when there is none. `new_topic_bytes` is the record limit of topics that bmswitch makes on
    green, 0 when a command of the operator makes them.
    """

    blue: SideFacts
    green: SideFacts
    blue_version: str
    green_version: str
    server_map: dict[str, str]
    mode: str
    bodies: int
    bucket_error: str
    nodes: list[NodeFacts]
    entries: dict[str, int] = {}
    sysconf: dict[str, str] = {}
    sysconf_read: bool = False
    sysconf_error: str = ""
    heartbeat_age: float | None = None
    heartbeat_error: str = ""
    clocks: list[ClockFacts] = []
    new_topic_bytes: int = 0
    has_stop: bool
    has_start: bool
    has_kick: bool
