"""The configuration file as types: two sites, the bucket, the proxies, budgets.

Only shapes and their meaning are here; reading the file and explaining its errors is `workflows.config`.
Durations are seconds (float). Secrets never stand in the file: a `Secret` names where they are.
"""

from typing import Annotated, Literal

import msgspec

Colour = Literal["blue", "green"]


def other(colour: Colour) -> Colour:
    """The other side."""
    return "green" if colour == "blue" else "blue"


Seconds = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+")]
HostPort = Annotated[str, msgspec.Meta(pattern=r"^[^\s/]+:\d+$")]
TcpListener = Annotated[str, msgspec.Meta(pattern=r"^(tls://)?[^\s/]+:\d+$")]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Argv = Annotated[list[str], msgspec.Meta(min_length=1)]


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every part of the file: a key that is not known is refused."""


class Secret(Strict, frozen=True):
    """Where a secret is: the name of an environment variable or the path of a file (0600). Exactly one of both."""

    env: str = ""
    file: str = ""


class Tls(Strict, frozen=True):
    """Verification is on unless told otherwise; `ca_file` adds an authority of your own."""

    verify: bool = True
    ca_file: str = ""


class Kafka(Strict, frozen=True):
    """One Kafka cluster.

    `settings` is passed through to librdkafka as it is (security.protocol, sasl.*, ssl.*); a value written
    `env:NAME` or `file:PATH` is read from there. `create_topics` is for brokers that clients may not administer: the command
    gets `BMSWITCH_TOPICS` (space separated `name:partitions`) and must have created them when it ends with 0.
    `tells_settings: false` is for brokers that never tell their topics' settings: the plan then only warns that they are not known.
    """

    bootstrap: str
    settings: dict[str, str] = {}
    create_topics: Argv | None = None
    replication_factor: Count = 1
    tells_settings: bool = True


class Core(Strict, frozen=True):
    """How the operator's own commands stop and start bm-core and end its kept sessions. Each may be left out.

    `stop` must return when bm-core is stopped. `start` must remove `/etc/bm/bm-core.disabled` first: demotion
    leaves it there (clone-and-api.md 2.8). `kick` ends kept sessions politely (proxy-cutover.md 8) and
    must return at once; words `{kind}` (`imap`, `smtp`, `websocket`, `longpoll`) and `{at_most}` in it are replaced, and it is then
    run for each kind, some sessions at a time (`sessions`). Without them it is run once and ends all. `timeout` bounds each.
    """

    stop: Argv | None = None
    start: Argv | None = None
    kick: Argv | None = None
    timeout: Seconds = 20.0


class RightsCommand(Strict, frozen=True, tag_field="driver", tag="command"):
    """Your own commands: each must return within the core's `timeout` when it is done, and may be run again."""

    revoke: Argv
    restore: Argv


class BucketPolicy(Strict, frozen=True, tag_field="driver", tag="policy"):
    """A statement in the bucket's own policy that denies `principal` to put and delete (AWS, Ceph; MinIO does not apply it to keys).

    The keys are those of somebody who may change the policy.
    """

    principal: str
    access_key: Secret
    secret_key: Secret


class MinioPolicy(Strict, frozen=True, tag_field="driver", tag="minio"):
    """A policy that denies to put and delete, attached to the MinIO user `user`. The keys are those of a MinIO administrator."""

    user: str
    access_key: Secret
    secret_key: Secret


class KafkaAcls(Strict, frozen=True, tag_field="driver", tag="acls"):
    """An ACL that denies `principal` (`User:name`) to write to the installation's topics.

    `settings` are added to those of `kafka`, for a connection that may alter ACLs.
    """

    principal: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]+:.+$")]
    settings: dict[str, str] = {}


class Rights(Strict, frozen=True):
    """How this side's rights to write are withdrawn when it has served, and given back (docs/switch.md, Rights). Both may be left out.

    In `shared` mode a clone's `kafka` right is withheld, too, until it is promoted.
    """

    bucket: RightsCommand | BucketPolicy | MinioPolicy | None = None
    kafka: RightsCommand | KafkaAcls | None = None

    @property
    def any(self) -> bool:
        """Something is configured."""
        return self.bucket is not None or self.kafka is not None


class BucketKey(Strict, frozen=True):
    """The key with which this side's core works on the bucket (sysconf `sds_s3_access_key`): a canary is put with it."""

    access_key: Secret
    secret_key: Secret


class Machines(Strict, frozen=True):
    """Whether guards may ask a side's machines through BlueMind's node agent: they count lines of the core log, and list the mail queue; `plan` reads the disks.

    Each command only looks: `grep -c` in `core_log`, `postqueue -p`, `df -Pk`.
    """

    ask: bool = True
    core_log: str = "/var/log/bm/core.log"


class Site(Strict, frozen=True):
    """One BlueMind installation: REST address of its core, admin token, its Kafka, the version it must have.

    `token` is the content of `/etc/bm/bm-core.tok` (clone-and-api.md 4.1). `installation_id` is `bluemind-<uuid>`;
    empty: read from the log (blue), same as blue (green). Green's `kafka` is left out when both sides share blue's
    (`replication.mode: shared`).
    """

    url: Url
    token: Secret
    version: str
    kafka: Kafka = Kafka(bootstrap="")
    installation_id: str = ""
    tls: Tls = Tls()
    core: Core = Core()
    rights: Rights = Rights()
    bucket_key: BucketKey | None = None
    machines: Machines = Machines()


class Bucket(Strict, frozen=True):
    """The shared bucket of mail bodies. With this key bmswitch only reads it."""

    endpoint: Url
    name: str
    access_key: Secret
    secret_key: Secret
    region: str = "us-east-1"
    tls: Tls = Tls()


class Frontends(Strict, frozen=True):
    """What clients talk to on one proxy node; probed during gate and soak."""

    http: list[Url] = []
    imap: list[HostPort] = []
    smtp: list[HostPort] = []


class HaproxyNode(Strict, frozen=True, tag_field="driver", tag="haproxy"):
    """HAProxy with the map file and the Lua hold (proxy-cutover.md 5).

    `socket` is the master socket's path; `map_file` the map as HAProxy names it; `backends` the names of the
    backends of each colour whose connections are counted while draining.
    """

    name: Name
    socket: str
    map_file: str
    backends: dict[Colour, list[str]]
    tcp_backends: dict[Colour, list[str]] = {}
    frontends: Frontends = Frontends()
    via: list[str] = []


class EnvoyNode(Strict, frozen=True, tag_field="driver", tag="envoy"):
    """Envoy with its gate: a small process beside it that owns the hold, the lease and the endpoint files.

    `gate` is the gate's control socket (unix path); `admin` Envoy's admin address, read only. `clusters` (HTTP) and
    `tcp_clusters` (IMAP, SMTP) are Envoy's own names. Each of them holds the endpoints of both colours (the endpoint's
    zone is its colour, its health says who serves), so one name counts both.
    """

    name: Name
    gate: str
    admin: Url
    clusters: list[str] = msgspec.field(default_factory=lambda: ["web"])
    tcp_clusters: list[str] = msgspec.field(default_factory=lambda: ["imap", "smtp"])
    frontends: Frontends = Frontends()
    via: list[str] = []


class NginxNode(Strict, frozen=True, tag_field="driver", tag="nginx"):
    """nginx with njs: one state file that every worker reads (proxy-cutover.md 6); bmswitch runs on its machine.

    `http` and `tcp` are the listeners as they are reached on that machine, over IPv4 (`http://127.0.0.1:80`,
    `127.0.0.1:143`, `tls://127.0.0.1:993`): each is asked for its colour at every read. `backends` (HTTP) and
    `tcp_backends` are the addresses of each colour, as in nginx's upstreams: connections to them are counted.
    """

    name: Name
    state_file: str
    pid_file: str
    backends: dict[Colour, list[HostPort]]
    http: list[Url] = []
    tcp: list[TcpListener] = []
    tcp_backends: dict[Colour, list[HostPort]] = {}
    frontends: Frontends = Frontends()
    via: list[str] = []


AnyNode = HaproxyNode | EnvoyNode | NginxNode
"""One proxy node, of whatever driver.

`via` is for a node on another machine: the words that start `bmswitch proxy serve` there (`[ssh, -T, edge-1, bmswitch, proxy, serve]`).
All paths and loopback addresses of the node, except `frontends`, are then that machine's.
"""


class LocalProvision(Strict, frozen=True, tag_field="driver", tag="local"):
    """Green is the lab's: `directory` is the lab's folder."""

    directory: str


class CommandProvision(Strict, frozen=True, tag_field="driver", tag="command"):
    """Green is built by the operator's own command; the environment it gets is in docs/provision.md."""

    command: Argv
    timeout: Seconds = 3600.0


class WayBack(Strict, frozen=True):
    """How the side that served becomes a fresh clone of the one that serves now, for `bmswitch return`.

    `provision` rebuilds its machines (docs/provision.md); a lab knows how without it. `servers` maps each server uid to the
    address there; empty: the addresses that the first plan read. `sysconf_override` is that of `replication`, for this direction.
    """

    provision: LocalProvision | CommandProvision | None = None
    servers: dict[str, str] = {}
    sysconf_override: dict[str, str | Secret] = {}


class Throttle(Strict, frozen=True):
    """When the copy stands still because the side that serves has enough to do; asked every `every` seconds. 0: no such limit.

    `cpu` is the busy share of any of its machines (through BlueMind's node agent), `latency` the seconds that any frontend of the proxies
    takes to greet a client, `groups` the records by which consumer groups of its Kafka may be behind, `copies_in_step`: every partition's
    copies. What can not be read counts as beyond its limit. A copy that is near the end is never held back: it costs little,
    and a switch needs it.
    """

    every: Seconds = 2.0
    cpu: Share = 0.0
    latency: NotNegative = 0.0
    groups: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    copies_in_step: bool = False

    @property
    def any(self) -> bool:
        """Some limit is set."""
        return bool(self.cpu or self.latency or self.groups or self.copies_in_step)


class Replication(Strict, frozen=True):
    """`mirror`: green's site has its own Kafka (default). `shared`: green reads blue's Kafka, and bmswitch copies nothing and only watches.

    `disabled_cures` turns cures off by name (`bmswitch cures list`); the plan warns of each. `sysconf_override` is what
    the clone puts over the source's system configuration (`sysconfOverride`, clone-and-api.md 1.2): host-like keys and the
    target's own bucket keys; a value that is secret names where it is. `rate` is the most records a second that are read from the
    source, 0 for no limit (`replicate --rate` wins). `fold`: the first pass leaves out records that a later one of the same item makes
    needless (docs/replicate.md).
    """

    mode: Literal["mirror", "shared"] = "mirror"
    caught_up_timeout: Seconds = 3600.0
    clone_workers: Count = 4
    disabled_cures: list[str] = []
    sysconf_override: dict[str, str | Secret] = {}
    rate: NotNegative = 0.0
    throttle: Throttle = Throttle()
    fold: bool = False


class Sessions(Strict, frozen=True):
    """At which pace kept sessions are ended: `batch` at a time on each node, and then `every` seconds until the next ones."""

    batch: Count = 5000
    every: Seconds = 0.05


class Canary(Strict, frozen=True):
    """An account that the soak uses as a person would. It needs no rights beyond its own mailbox; what it writes is deleted again."""

    login: Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$")]
    password: Secret


class Soak(Strict, frozen=True):
    """How the target is watched after the switch, and what is a breach, on any one frontend.

    A breach is more than `failure_share` of the attempts failed, `failures_in_a_row`, or 95 % of them took longer than
    `latency_p95` seconds. `on_breach`: `freeze` keeps traffic where it is; `return` builds a standby and goes back; `page` keeps traffic
    and runs `page` with the evidence as JSON on its standard input. Without a `canary` only greetings are asked for.
    """

    seconds: Seconds = 10.0
    every: Seconds = 0.5
    failures_in_a_row: Count = 2
    failure_share: Share = 0.05
    latency_p95: Seconds = 3.0
    on_breach: Literal["freeze", "return", "page"] = "freeze"
    page: Argv | None = None
    canary: Canary | None = None


class Budgets(Strict, frozen=True):
    """Deadlines of the switch, in seconds. `hold` bounds everything from the hold to the release.

    `lease` is the expiry that the proxy itself holds, renewed while the switch goes on and never beyond `hold`.
    """

    hold: Seconds = 5.0
    lease: Seconds = 2.0
    drain: Seconds = 1.5
    barrier: Seconds = 2.0
    fence: Seconds = 2.0
    prove: Seconds = 2.0
    promote: Seconds = 2.0
    flip: Seconds = 1.0
    max_lag: Seconds = 2.0


class PlanRules(Strict, frozen=True):
    """What a plan needs, and by which sizes it advises.

    `accept_unavoidable`: a new plan accepts the differences that the native clone can not avoid; without it each must be accepted by
    somebody (`bmswitch plan accept`).

    `approvals_needed`: so many people must have approved it before a cutover (not a return). Up to `small` mailboxes it advises an upgrade in
    place; above `large` a clone that is looked at first, until a proof of this site has said equal.
    """

    approvals_needed: Annotated[int, msgspec.Meta(ge=0)] = 0
    accept_unavoidable: bool = True
    small: Annotated[int, msgspec.Meta(ge=0)] = 250
    large: Count = 5000


class Config(Strict, frozen=True):
    """The whole file. `serving` is the side that serves before the upgrade.

    `public_links` are addresses that anybody may open (a shared file, a published calendar), as clients use them: asked before
    the switch. `servers` maps each server uid of its topology to the other side's address for it.
    """

    version: Literal[1]
    run_dir: str
    blue: Site
    green: Site
    servers: dict[str, str]
    bucket: Bucket
    proxies: Annotated[list[AnyNode], msgspec.Meta(min_length=1)]
    provision: LocalProvision | CommandProvision
    replication: Replication = Replication()
    budgets: Budgets = Budgets()
    public_links: list[Url] = []
    sessions: Sessions = Sessions()
    soak: Soak = Soak()
    plan: PlanRules = PlanRules()
    serving: Colour = "blue"
    way_back: WayBack = WayBack()

    def site(self, colour: Colour) -> Site:
        """One side by its colour."""
        return self.blue if colour == "blue" else self.green

    @property
    def standby(self) -> Colour:
        """The side that shall serve when the switch is done."""
        return other(self.serving)

    @property
    def source(self) -> Site:
        """The side that serves: the switch starts from it."""
        return self.site(self.serving)

    @property
    def target(self) -> Site:
        """The side that is its clone."""
        return self.site(self.standby)
