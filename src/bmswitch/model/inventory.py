"""What there is at both sites, the bucket and the proxies, as it was read for a plan. No secret and no person's name is in it."""

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.estimates import Estimate


class Disk(msgspec.Struct, frozen=True):
    """One file system of a machine, in bytes."""

    mount: str
    bytes: int
    free: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a topology. `disks` are empty when they were not told; `error` says why."""

    uid: str
    address: str
    roles: list[str] = []
    disks: list[Disk] = []
    error: str = ""


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """One mail domain. `mailboxes` are those of users and mail shares; groups and resources may have one, too, and are not counted."""

    uid: str
    users: int
    mailboxes: int
    entries: int


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A side's change log. `bytes` is an estimate from the records that were read, None when none were; `copies` the fewest of any topic.

    `settings`: each that matters, with its value or, where topics differ, all values.
    """

    topics: int
    partitions: int
    records: int
    bytes: Estimate | None = None
    copies: int = 0
    settings: dict[str, list[str]] = {}
    error: str = ""


class SideInventory(msgspec.Struct, frozen=True, kw_only=True):
    """One side. A side that is not built yet has hardly anything, and `error` says why."""

    colour: Colour
    url: str
    state: str
    version: str
    machines: list[Machine]
    domains: list[Domain]
    log: Log
    protocol: str = ""
    error: str = ""


class NodeInventory(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy node: where it points, what clients reach on it, and what is open on it now. -1: not told.

    `mail`, `web` and `websockets` are what runs on the source, `connected` the clients at the frontends by protocol (`http`,
    `imap`, `smtp`); a protocol that is not told is not in it.
    """

    name: str
    driver: str
    points_at: str
    frontends: list[str]
    mail: int = -1
    web: int = -1
    websockets: int = -1
    connected: dict[str, int] = {}
    error: str = ""


class PublicName(msgspec.Struct, frozen=True, kw_only=True):
    """A name that clients use. `ttl`: seconds for which resolvers keep the answer, -1 when it was not told."""

    name: str
    addresses: list[str] = []
    ttl: int = -1
    error: str = ""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as a client sees it; `days` until it ends, -1 not told; `problem` is empty when it is trusted."""

    at: str
    days: int = -1
    problem: str = ""


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds by which a machine is ahead of ours, None when it was not told."""

    name: str
    ahead: float | None
    error: str = ""


class BucketInventory(msgspec.Struct, frozen=True, kw_only=True):
    """The shared bucket; `bytes` of the bodies as they are stored. -1: not counted."""

    name: str
    endpoint: str
    bodies: int = -1
    bytes: int = -1
    documents: int = -1
    versioning: str = ""
    error: str = ""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides, the bucket, the proxies, the public names. `items` is estimated from a sample of entries, None without one."""

    source: SideInventory
    target: SideInventory
    bucket: BucketInventory
    nodes: list[NodeInventory]
    names: list[PublicName]
    certificates: list[Certificate]
    clocks: list[Clock]
    items: Estimate | None = None

    @property
    def mailboxes(self) -> int:
        """Mailboxes of all of the source's domains."""
        return sum(domain.mailboxes for domain in self.source.domains)

    @property
    def sessions(self) -> int:
        """Kept sessions on all nodes as far as they are told: mail, and websockets where they are known."""
        return sum(max(0, node.mail) + max(0, node.websockets) for node in self.nodes)
