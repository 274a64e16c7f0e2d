"""Life of an installation: start, initialise, clone, promote, demote (clone-and-api.md 1.4, 1.5, 2.2-2.5)."""

import logging
import threading
import uuid
from collections.abc import Callable

import msgspec

from bmswitch.lab.services.context import Context
from bmswitch.lab.services.errors import AlreadyExists, Denied, Fault, Invalid
from bmswitch.lab.services.platform import GLOBAL_DOMAIN, SERVER_TAGS, Platform
from bmswitch.lab.services.shapes_directory import Domain, Server
from bmswitch.lab.services.state import SystemState
from bmswitch.lab.services.tasks import Task, Tasks
from bmswitch.lab.site import write_private
from bmswitch.model.errors import LabError

log = logging.getLogger("bmswitch.lab.installation")


class InstallationVersion(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of `GET version`."""

    software_version: str
    version_name: str
    database_version: str
    needs_upgrade: bool = False


class Installation:
    """State changes of one core. Used from the event loop's thread; the clone runs in threads of its own."""

    def __init__(self, context: Context, platform: Platform, tasks: Tasks) -> None:
        self._context = context
        self._platform = platform
        self._tasks = tasks
        self._stop_clone: Callable[[], None] | None = None
        self._call_soon: Callable[[Callable[[], None]], object] = lambda call: call()
        context.state.listen(self._changed)

    def use_loop(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """Where threads hand over what must happen in the loop (`loop.call_soon_threadsafe`)."""
        self._call_soon = call_soon

    def start(self) -> None:
        """STARTING becomes NOT_INSTALLED, CLONING or RUNNING, by the files of the etc folder."""
        site, state = self._context.site, self._context.state
        if not site.token_path.exists():
            state.change(SystemState.NOT_INSTALLED)
        elif site.clone_marker.exists():
            state.change(SystemState.CLONING)
        else:
            state.apply()
            state.change(SystemState.RUNNING)

    def version(self) -> InstallationVersion:
        """Version of this product."""
        site = self._context.site
        waits = site.defect("upgraders-not-run")
        return InstallationVersion(
            f"{site.produced_by}.1", site.version, f"{site.produced_by}.1", needs_upgrade=waits
        )

    def initialize(self, *, admin: bool) -> Task:
        """`_initialize`: files of a fresh installation; a clone when `mcast.id.clone` is there."""
        site, state = self._context.site, self._context.state
        if site.token_path.exists() and not admin:
            raise Denied("only admin0 may initialise an installed core")
        if state.current is not SystemState.NOT_INSTALLED:
            raise AlreadyExists("the installation is initialised")
        return self._tasks.done(self._initialize, "initialised")

    def _initialize(self) -> None:
        site, state = self._context.site, self._context.state
        clone = site.mcast_id_clone.exists()
        identity = (
            site.mcast_id_clone.read_text().strip()
            if clone
            else site.installation_id.removeprefix("bluemind-")
        )
        write_private(site.mcast_id, identity.encode())
        self.write_token()
        if clone:
            write_private(site.clone_marker, b"")
            state.change(SystemState.CLONING)
            return
        state.apply()
        self.create_base()
        state.change(SystemState.RUNNING)

    def write_token(self) -> None:
        """`bm-core.tok`: the operator's if there is one, else a new one that the operator finds in its place."""
        site = self._context.site
        if site.token_path.exists():
            return
        if not site.operator_token.exists():
            write_private(site.operator_token, str(uuid.uuid4()).encode())
        write_private(site.token_path, site.operator_token.read_text().strip().encode())

    def create_base(self) -> None:
        """Topology, `global.virt` and system configuration of a fresh installation."""
        site = self._context.site
        with self._context.write():
            self._platform.create_domain(
                GLOBAL_DOMAIN,
                Domain(
                    label=GLOBAL_DOMAIN,
                    name=GLOBAL_DOMAIN,
                    description="Global domain",
                    global_=True,
                    default_alias=GLOBAL_DOMAIN,
                ),
            )
            server = Server(ip=site.address, fqdn=site.address, name=site.server_uid, tags=SERVER_TAGS)
            self._platform.put_server(site.server_uid, server)
            self._platform.merge_sysconf(self._first_sysconf())

    def _first_sysconf(self) -> dict[str, str]:
        site = self._context.site
        values = {
            "host": site.address,
            "external_url": "mail.lab.test",
            "external_protocol": "https",
            "archive_kind": "s3" if site.s3 else "noop",
            "db_version": f"{site.produced_by}.1",
            "message_size_limit": "10000000",
            "mynetworks": "127.0.0.0/8",
        }
        if site.s3 is not None:
            values |= {
                "sds_s3_endpoint": site.s3.endpoint,
                "sds_s3_bucket": site.s3.bucket,
                "sds_s3_region": site.s3.region,
            }
        return values

    def demote(self) -> None:
        """`_demote`: a one-way door. State first, then the disable file, Seppuku, and leadership is let go."""
        context = self._context
        if context.state.current is SystemState.DEMOTED:
            return
        context.state.change(SystemState.DEMOTED)
        write_private(context.site.disabled, b"")
        if context.state.leader:
            self._platform.log_seppuku()
            context.state.release()
        else:
            log.warning("demoted without being leader: no Seppuku")

    def promote(self) -> None:
        """`_promote`: only while CLONING; takes over, publishes the topology, becomes RUNNING.

        It becomes RUNNING also when another core holds the latch: then it does not lead and logs nothing (clone-and-api.md 2.3).
        """
        context = self._context
        if not context.state.cloning:
            raise Fault("promoteLeader can only be called in cloning state")
        log.info("Taking leader role for installation %s", context.site.installation_id)
        context.site.clone_marker.unlink(missing_ok=True)
        context.state.apply()
        context.state.paused = False
        self._platform.republish_servers()
        context.state.change(SystemState.RUNNING)

    def clone(self, body: bytes) -> Task:
        """`_clone`: starts the native clone. No guard on the state, as in BlueMind: never send it to the leader."""
        from bmswitch.lab.restore.clone import CloneRequest, CloneTask  # noqa: PLC0415 - only a clone needs it

        site, state = self._context.site, self._context.state
        try:
            request = msgspec.json.decode(body, type=CloneRequest)
        except msgspec.MsgspecError as error:
            raise Invalid(f"CloneConfiguration: {error}") from error
        if request.mode in ("TAIL", "PROMOTE"):
            state.paused = True
        else:
            state.leader = True
        if request.sysconf_override:
            self._platform.merge_sysconf(request.sysconf_override)

        def run(task: Task) -> None:
            work = CloneTask(site, self._context.store, request, running=lambda: state.running, log=task.log)
            self._stop_clone = work.stop
            outcome = work.run()
            if outcome.end_cloning:
                ended = threading.Event()
                self._call_soon(lambda: self._end_cloning(ended))
                ended.wait(5.0)
            task.end(outcome.state, outcome.message)

        return self._tasks.start(run, "clone")

    def _end_cloning(self, ended: threading.Event) -> None:
        """`core.cloning.end`: RUNNING, whatever the outcome; a TAIL clone is then not leader (1.8)."""
        state = self._context.state
        try:
            if state.cloning:
                state.change(SystemState.RUNNING)
        finally:
            ended.set()

    def stop(self) -> None:
        """An orderly stop: a running clone ends and commits."""
        if self._stop_clone is not None:
            self._stop_clone()
        self._context.state.change(SystemState.STOPPING)

    def _changed(self, state: SystemState) -> None:
        """Becoming RUNNING publishes the core token and the id sequence (if this core publishes at all)."""
        if state is not SystemState.RUNNING or not self._context.state.publishing:
            return
        token = self._context.site.token_path
        if not token.exists():
            raise LabError("a running core has no token", evidence=str(token))
        self._platform.log_core_token(token.read_text().strip())
        self._platform.log_sequence()

    def heartbeat(self) -> None:
        """Every minute while RUNNING: the id sequence."""
        if self._context.state.running:
            self._platform.log_sequence()
