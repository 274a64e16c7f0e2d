"""BlueMind's native clone, as `POST /api/system/installation/_clone` runs it inside green's core (clone-and-api.md 1).

    task = CloneTask(site, store, request, running=lambda: state.running, log=task_log.append)
    outcome = task.run()          # blocks: run it in a thread of its own; `task.stop()` ends it early
    # outcome.state is the task's; outcome.end_cloning: the wrapper now publishes core.cloning.end (CORE_STATE_RUNNING)

Faithful where it hurts: a domain that fails ends silently, the task still says Success and the core goes RUNNING; commits
stop after catch-up; bodies of owners whose mailbox was created by an earlier run fail (1.8). Simplified: one consumer a
topic, no Elasticsearch, no Keycloak, no hooks beyond default containers, PROMOTE is refused.

Threads: `run` starts one thread a domain and writes through `store.tx()` in slices of at most 5 ms.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from bmswitch.lab.restore import orphans
from bmswitch.lab.restore.context import Context, Reporter
from bmswitch.lab.restore.domain import DomainLoop, Mode, Starvation
from bmswitch.lab.restore.owners import READ_LIMIT, Owners, follow_owners, read_owners
from bmswitch.lab.restore.reader import Reader, new_group, partition_counts, place_of
from bmswitch.lab.restore.router import Router
from bmswitch.lab.restore.state import CloneState, Token
from bmswitch.lab.site import StandIn
from bmswitch.lab.store import Store
from bmswitch.model import topics
from bmswitch.model.errors import BmswitchError, CloneError
from bmswitch.model.records import decode_key
from bmswitch.model.topics import TopicKind

Log = Callable[[str], None]
_READ_ALL = 600.0  # seconds for orphans and presync


class CloneRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `_clone` (CloneConfiguration). `target_installation_id` is never read: the target is what green is."""

    source_installation_id: str
    target_installation_id: str = ""
    uid_to_ip_mapping: dict[str, str] = {}
    sysconf_override: dict[str, str] = {}
    mode: Mode = "FORK"
    clone_workers: int = 4
    skipped_container_types: frozenset[str] = frozenset()


class Outcome(msgspec.Struct, frozen=True):
    """How the task ended, and whether the core leaves CLONING. Success proves nothing (1.8)."""

    state: Literal["Success", "InError"]
    message: str
    end_cloning: bool


class CloneTask:
    """One run of the clone. `log` must be safe to call from several threads; `running` answers for CORE_STATE_RUNNING."""

    def __init__(
        self, site: StandIn, store: Store, request: CloneRequest, *, running: Callable[[], bool], log: Log
    ) -> None:
        self._site = site
        self._store = store
        self._request = request
        self._running = running
        self._log = log
        self._stop = threading.Event()
        self._done = threading.Event()
        self._reporter = Reporter(log)
        self._loops: list[DomainLoop] = []
        self._state = CloneState(site.clone_state, log)

    def stop(self) -> None:
        """End all loops soon, committing what was applied: the core is stopping."""
        self._stop.set()

    @property
    def positions(self) -> dict[str, dict[int, int]]:
        """Per domain topic and partition the offset after the last record that was applied."""
        return {loop.reader.topic: dict(loop.reader.positions) for loop in list(self._loops)}

    @property
    def failed_domains(self) -> list[str]:
        """Topics whose worker died; BlueMind tells nobody."""
        return [loop.reader.topic for loop in list(self._loops) if loop.failed]

    def run(self) -> Outcome:
        """The whole clone (1.6). Blocks until it ends; raises nothing."""
        followers: list[threading.Thread] = []
        try:
            try:
                found = self._orphans(followers)
            except BmswitchError as error:
                return self._error(error, end_cloning=False)
            try:
                return self._domains(found, followers)
            except BmswitchError as error:
                return self._error(error, end_cloning=True)
        finally:
            self._done.set()
            for thread in followers:
                thread.join(5.0)

    def _error(self, error: BmswitchError, *, end_cloning: bool) -> Outcome:
        self._log(f"Clone failed: {error.cause} {error.evidence}")
        return Outcome("InError", f"{error.cause} {error.evidence}".strip(), end_cloning)

    def _orphans(self, followers: list[threading.Thread]) -> orphans.Found:
        """Read and apply the orphans once, then follow only the id sequence."""
        request, site = self._request, self._site
        if request.mode == "PROMOTE":
            raise CloneError("the stand-in does not clone in PROMOTE mode", next_command="use TAIL")
        source = request.source_installation_id
        self._log(f"Cloning orphans (cross-domain data) of installation {source}")
        topic = topics.orphans(source)
        self._log(f"IGNORE prevState for {topic}")
        counts = partition_counts(site.kafka_bootstrap)
        if topic not in counts:
            raise CloneError("the source has no orphans topic", evidence=topic)
        reader = Reader(site.kafka_bootstrap, topic, new_group(site.installation_id), counts[topic])
        messages = reader.read_all(time.monotonic() + _READ_ALL)
        grouped = orphans.decode((m.key(), m.value(), *place_of(m)) for m in messages)
        tracker = orphans.Tracker(self._store, self._log, exact=False)
        target = orphans.Target(
            installation_id=site.installation_id,
            servers=request.uid_to_ip_mapping,
            sysconf=request.sysconf_override,
            exact=False,
            configured=orphans.configured_log(site.data_dir),
        )
        found = orphans.restore(self._store, grouped, tracker, target, self._reporter)
        self._log(f"Processed {topic} up to {reader.group}")
        followers.append(self._start("orphan-tracker", partial(self._track, reader, tracker)))
        return found

    def _track(self, reader: Reader, tracker: orphans.Tracker) -> None:
        try:
            while not self._ended():
                for message in reader.take(500, 0.2):
                    reader.applied(*place_of(message))
                    key, value = message.key(), message.value()
                    if key is not None and value is not None and decode_key(key).type == orphans.SEQUENCE:
                        tracker.feed(value)
        except BmswitchError as error:
            self._log(f"orphan-tracker ended: {error.cause} {error.evidence}")
        finally:
            reader.close()

    def _ended(self) -> bool:
        return self._done.is_set() or self._stop.is_set()

    def _domains(self, found: orphans.Found, followers: list[threading.Thread]) -> Outcome:
        site, source = self._site, self._request.source_installation_id
        counts = partition_counts(site.kafka_bootstrap)
        wanted = self._domain_topics(counts, found)
        self._log(
            f"Filtered domain(s) lists containers {len(wanted)} stream(s) {', '.join(sorted(wanted.values()))}"
        )
        owners = self._owners(counts, followers)
        if owners is None:
            return Outcome("Success", "", end_cloning=True)
        starvation = Starvation(self._request.mode, len(found.domains), self._running, self._stop, self._log)
        threads = []
        for number, domain in enumerate(sorted(wanted)):
            router = self._router(domain, owners)
            presync = topics.presync(source, domain)
            work = partial(
                self._domain, router, wanted[domain], presync, counts, starvation, first=number == 0
            )
            threads.append(self._start(f"clone-{domain}", work))
        for thread in threads:
            thread.join()
        return Outcome("Success", "", end_cloning=True)

    def _domain_topics(self, counts: dict[str, int], found: orphans.Found) -> dict[str, str]:
        """Domain uid to topic. Raises CloneError when the log and the orphans do not agree, or without CRP topic."""
        source = self._request.source_installation_id
        mine = [name for name in counts if name.startswith(topics.hex_id(source) + "-")]
        parsed = {name: topics.parse(name) for name in mine}
        wanted = {p.domain: name for name, p in parsed.items() if p and p.kind is TopicKind.DOMAIN}
        unknown = sorted(set(wanted) - found.domains)
        if unknown:
            raise CloneError("a domain's topic is absent from the orphans", evidence=", ".join(unknown))
        if topics.crp(source) not in counts:
            raise CloneError("the reverse proxy's directory topic is missing", evidence=topics.crp(source))
        return wanted

    def _owners(self, counts: dict[str, int], followers: list[threading.Thread]) -> Owners | None:
        """Known owners, followed from then on; None when they could not be read in time."""
        topic = topics.crp(self._request.source_installation_id)
        owners = Owners()
        group = new_group(self._site.installation_id)
        reader = Reader(self._site.kafka_bootstrap, topic, group, counts[topic])
        try:
            read_owners(reader, owners, READ_LIMIT)
        except BmswitchError as error:
            reader.close()
            self._log(f"Unable to read CRP entries: {error.cause}")
            return None
        followers.append(follow_owners(reader, owners, self._done, self._log))
        return owners

    def _router(self, domain: str, owners: Owners) -> Router:
        context = Context(self._store, domain, Reporter(self._log))
        context.replace_uidvalidity = partial(self._site.defect, "uidvalidity-replaced")
        return Router(context, owners, self._request.skipped_container_types)

    def _domain(
        self,
        router: Router,
        topic: str,
        presync: str,
        counts: dict[str, int],
        starvation: Starvation,
        *,
        first: bool,
    ) -> None:
        """One domain's thread. Whatever happens here, the task says Success."""
        domain = router.context.domain
        self._log(f"{domain} : Working on domain {domain}")
        token = self._state.token(topic)
        self._log(f"prevState for {topic} => {token.group if token else 'null'}")
        fault = self._fault(first=first)
        try:
            if token is None and presync in counts:
                self._presync(router, presync, counts[presync], starvation)
            token = token or Token(new_group(self._site.installation_id), self._request.clone_workers)
            reader = Reader(self._site.kafka_bootstrap, topic, token.group, counts[topic])
        except BmswitchError as error:
            self._log(f"op:failure, cause:{error.cause} {error.evidence}")
            return
        self._state.save(topic, token)
        loop = DomainLoop(reader, router, starvation, self._log, fault)
        self._loops.append(loop)
        try:
            loop.run()
        finally:
            reader.close()
        self._state.save(topic, token)
        self._log(f"Processed {topic} up to {token.group}")

    def _fault(self, *, first: bool) -> Callable[[], bool]:
        if not first:
            return lambda: False
        return partial(self._site.defect, "task-success-though-domain-failed")

    def _presync(self, router: Router, topic: str, partitions: int, starvation: Starvation) -> None:
        reader = Reader(self._site.kafka_bootstrap, topic, new_group(self._site.installation_id), partitions)
        try:
            DomainLoop(reader, router, starvation, self._log).replay(time.monotonic() + _READ_ALL)
        finally:
            reader.close()

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread
