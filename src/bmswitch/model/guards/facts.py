"""What the guards look at: facts about both sites, the bucket and the proxies, as they were read. Plain data.

`source` is the side that serves, `target` its clone: the switch goes both ways. Colours are for what is said to people.
"""

from typing import Literal

import msgspec

from bmswitch.model.config import Colour
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

    `wanted_version` is the configured one. `edges` are the uids of servers with an edge's tag; `copies` the fewest
    copies of a partition of each topic; `settings` what the broker tells of each topic. `sysconf` is the system
    configuration, None when the core is in no state to tell it; each value that may be secret is a digest.
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
    core_error: str = ""
    kafka_cluster_id: str = ""
    topics: dict[str, int] = {}
    records: dict[str, int] = {}
    copies: dict[str, int] = {}
    settings: dict[str, dict[str, str]] = {}
    settings_error: str = ""
    kafka_error: str = ""
    sysconf: dict[str, str] | None = None
    sysconf_error: str = ""


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
    """The shared bucket. `bodies` is -1 when they were not counted: `error` says why when it could not be read."""

    error: str = ""
    bodies: int = -1


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


class SwitchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known only once the copy runs: asked at the gate. `*_error` says why a part could not be read.

    `orphans` are changes that a clone reads only once; `frontend_faults` what a client would see go wrong now. `keys` are
    those that are configured; `dry`: nothing may be written, so they were not tried.
    """

    plan_id: str
    max_lag: float
    status: ReplicateStatus | None
    proof: Proof | None
    frontend_faults: list[str] = []
    free_bytes: int
    orphans: list[str] = []
    orphans_error: str = ""
    parked: list[ParkedFacts] = []
    parked_error: str = ""
    keys: list[KeyFacts] = []
    dry: bool = False


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the guards look at; `now` is epoch seconds.

    `heartbeat_age` is the age in seconds of the newest id sequence record, None when there is none. `new_topic_bytes`
    is the record limit of topics that bmswitch makes on the target, 0 when a command of the operator makes them.
    `missing_rights` are the parts whose writing can not be withdrawn from the source; `unproven_policy`: a bucket policy without a
    key to see that it is applied. `switch` is None before the copy runs; `back` marks the way back of an upgrade.
    """

    now: float
    source: SideFacts
    target: SideFacts
    server_map: dict[str, str]
    mode: str
    bucket: BucketFacts
    nodes: list[NodeFacts]
    entries: dict[str, int] = {}
    heartbeat_age: float | None = None
    heartbeat_error: str = ""
    clocks: list[ClockFacts] = []
    new_topic_bytes: int = 0
    missing_commands: list[str] = []
    missing_rights: list[str] = []
    unproven_policy: bool = False
    switch: SwitchFacts | None = None
    back: bool = False

    @property
    def sides(self) -> tuple[SideFacts, SideFacts]:
        """Source and target."""
        return self.source, self.target

    @property
    def at_gate(self) -> SwitchFacts:
        """What only the gate knows: guards that are asked there alone may take it for granted."""
        if self.switch is None:
            raise AssertionError("this guard is asked at the gate only")
        return self.switch
