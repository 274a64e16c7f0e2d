"""The mirror of one run, from its checks to its end: what is copied where, through which cures, from which place."""

import math
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.topics import Topics
from bmswitch.model import topics
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, UnreachableError
from bmswitch.model.guards.log_outlives_copy import retention
from bmswitch.model.plan import Plan
from bmswitch.model.records import LogRecord
from bmswitch.model.status import WorkerStatus
from bmswitch.model.topics import TopicKind
from bmswitch.parity.ledger import Ledger
from bmswitch.replication import preflight, state
from bmswitch.replication.chain import Chain
from bmswitch.replication.crew_files import Order, save_order
from bmswitch.replication.cures.installation_id import rename
from bmswitch.replication.cures.parents_first import ParentsFirst
from bmswitch.replication.deriving import deriving
from bmswitch.replication.folding import Folded, FoldingSource
from bmswitch.replication.lag_watch import LagWatch, Watched
from bmswitch.replication.mirror import Mirror, Progress
from bmswitch.replication.own_log import mend_own_log
from bmswitch.replication.quarantine import FILE, Quarantine
from bmswitch.replication.runner import MirrorThread, reached
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.source import KafkaSource
from bmswitch.replication.valve import Valve
from bmswitch.workflows.crew import Crew
from bmswitch.workflows.cures import children_wait, note, pipeline, resources_whole
from bmswitch.workflows.first_pass import folded_first_pass
from bmswitch.workflows.pausing import forget_farewell
from bmswitch.workflows.promotion import Promotion, refuse_other_writers

_READ_WITHIN = 600.0
TOUCHED_FILE = "touched.ndjson"


class Mirroring:
    """Checks everything that could do harm, then copies in a thread of its own until `stop`.

    `since` is given on a later leg: the target has the source's log up to that promotion already, as its own.

    `may_write` is asked after blue's farewell: False once green leads. `valve` is asked before each read. With `workers` so many
    processes share the work with those of other machines; 0: a thread of this process does it alone.

    Raises (constructor, before anything is written): RefusedError, UnreachableError, AccessError.
    """

    def __init__(
        self,
        config: Config,
        plan: Plan,
        may_write: Callable[[], bool],
        since: Promotion | None = None,
        *,
        valve: Valve | None = None,
        workers: int = 0,
    ) -> None:
        self._config, self._since, self._workers = config, since, workers
        self.valve = valve or Valve(config.replication.rate)
        self._plan_id = plan.id
        self._blue_id = plan.source.installation_id
        self._green_id = config.target.installation_id or self._blue_id
        self._fold: FoldingSource | None = None
        self._blue, self._green = Topics(config.source.kafka), Topics(config.target.kafka)
        self._run_dir = Path(config.run_dir)
        route = _wanted(config, preflight.route(self._blue, self._green, self._blue_id, self._green_id))
        derived = topics.crp(self._green_id) if since else route.derived_crp
        self._derived = (
            derived if workers and "crp_dir_entries" not in config.replication.disabled_cures else ""
        )
        self._deriver: MirrorThread | None = None
        self._cures = pipeline(config, self._blue_id, self._green_id, derived)
        orphans = topics.orphans(self._blue_id)
        preflight.refuse_unmapped_servers(
            config.source.kafka, orphans, route.sources[orphans], config.servers
        )
        place = self._place(route)
        self._green.create(route.targets)
        ids = self._ids(route)
        preflight.refuse_other_topics(place.topic_ids if place else {}, ids)
        if place is None and since is not None:
            refuse_other_writers(since.source, self._ends_of(since.source), config.standby)
        preflight.refuse_foreign_records(
            self._green, route.targets, ours=place is not None or since is not None
        )
        first_run = place is None
        fresh = first_run and since is None
        self._waiting = None if workers else children_wait(config, fresh=fresh)
        self._cures += [] if workers else resources_whole(config, fresh=fresh)
        self._chain = Chain(self._cures, self._waiting)
        if place is None:
            place = state.MirrorState(f"bmswitch-{plan.id}", route.blue_cluster, route.green_cluster)
        if since is not None and not place.mended:
            place = self._mend(place, since)
        place = msgspec.structs.replace(place, topic_ids=place.topic_ids | ids)
        self._known = dict(route.sources)
        self.targets = dict(route.targets)
        self._thread: MirrorThread | Crew = (
            self._start_crew(plan, route, place)
            if workers
            else self._start(route, place, may_write, first_run=first_run)
        )

    def _start(
        self,
        route: preflight.Route,
        place: state.MirrorState,
        may_write: Callable[[], bool],
        *,
        first_run: bool,
    ) -> MirrorThread:
        source = KafkaSource(
            self._config.source.kafka, place.group, route.sources, first=self._first_to_copy(route)
        )
        try:
            if self._config.replication.fold and self._since is None:
                self._fold = folded_first_pass(self._run_dir, place.group, source, first_run=first_run)
            state.save_mirror(self._run_dir, place)
            sink = KafkaSink(self._config.target.kafka)
            quarantine = Quarantine(self._run_dir / FILE)
        except BaseException:
            source.close()
            raise
        read = self._fold or source
        mirror = Mirror(read, sink, self._chain, quarantine, source.start, may_write=may_write)
        thread = MirrorThread(read, mirror, self.valve)
        self._begin(thread, route)
        return thread

    def _begin(self, thread: MirrorThread | Crew, route: preflight.Route) -> None:
        self._watch = LagWatch(
            lambda: thread.progress,
            Topics(self._config.source.kafka),
            lambda: bool(self.valve.held),
            retention=self._retention(route.sources),
        )
        if isinstance(thread, MirrorThread) and state.load_clone(self._run_dir) is not None:
            thread.watch(self._ledger)
        thread.start()
        self._watch.start()

    def _start_crew(self, plan: Plan, route: preflight.Route, place: state.MirrorState) -> Crew:
        """The work is shared: the first places are kept, then workers take over."""
        source = KafkaSource(
            self._config.source.kafka,
            place.group,
            route.sources,
            first=self._first_to_copy(route),
            alone=False,
        )
        source.close()
        state.save_mirror(self._run_dir, place)
        forget_farewell(self._run_dir)
        old, new = topics.hex_id(self._blue_id), topics.hex_id(self._green_id)
        order = Order(
            plan_id=plan.id,
            group=place.group,
            blue_id=self._blue_id,
            green_id=self._green_id,
            names={name: rename(name, old, new) for name in route.sources},
            counts=route.sources,
            targets=route.targets,
            rate=self.valve.rate,
        )
        save_order(self._run_dir, order)
        crew = Crew(self._config, order, self._workers, f"{socket.gethostname()}-{os.getpid()}", leads=True)
        if self._derived:
            self._deriver = deriving(
                self._config.target.kafka,
                place.group,
                self._derived,
                _domains(route.targets),
                Quarantine(self._run_dir / FILE),
            )
            self._deriver.start()
        self._begin(crew, route)
        return crew

    @property
    def workers(self) -> list[WorkerStatus]:
        """Every worker on any machine; none when one process does it alone."""
        return self._thread.workers if isinstance(self._thread, Crew) else []

    def settled(self, goal: Mapping[str, list[int]]) -> bool:
        """Everything up to `goal` is copied, and what is derived from it too."""
        if not reached(self.progress.positions, goal):
            return False
        if self._deriver is None:
            return True
        return reached(self._deriver.progress.positions, self._green.ends(_domains(self.targets)))

    def _retention(self, sources: Mapping[str, int]) -> float:
        """Seconds after which the source's log deletes a record; `inf` when it does not, or does not tell."""
        try:
            told = self._blue.settings(sources)
        except BmswitchError:
            return math.inf
        return min(map(retention, told.values()), default=math.inf)

    def _place(self, route: preflight.Route) -> state.MirrorState | None:
        """Our place in blue's log when this run folder has mirrored these two clusters before."""
        known = state.load_mirror(self._run_dir)
        if known is None:
            return None
        before, now = (known.blue_cluster, known.green_cluster), (route.blue_cluster, route.green_cluster)
        if before != now:
            preflight.refuse_other_cluster(before, now, self._full(route))
        return known if before == now else None

    def _full(self, route: preflight.Route) -> list[str]:
        """The target's topics that hold records."""
        there = self._green.cluster().topics
        ends = self._green.ends({name: count for name, count in route.targets.items() if name in there})
        return [name for name, offsets in ends.items() if any(offsets)]

    def _ids(self, route: preflight.Route) -> dict[str, str]:
        """Kafka's own ids of the topics on both sides; none where they are not told."""
        try:
            source, target = self._blue.ids(route.sources), self._green.ids(route.targets)
        except BmswitchError:
            return {}
        return {
            **{f"source {name}": told for name, told in source.items()},
            **{f"target {name}": told for name, told in target.items()},
        }

    def _mend(self, place: state.MirrorState, since: Promotion) -> state.MirrorState:
        """The place is kept first: what is added to the target's log must not look like somebody else's."""
        state.save_mirror(self._run_dir, place)
        own = {name: len(ends) for name, ends in since.source.items()}
        if "uidvalidity" not in self._config.replication.disabled_cures:
            mend_own_log(self._config.target.kafka, own)
        return msgspec.structs.replace(place, mended=True)

    def _ends_of(self, known: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """Ends now of the target's topics that are still there."""
        there = self._green.cluster().topics
        return self._green.ends({name: len(ends) for name, ends in known.items() if name in there})

    def _first_to_copy(self, route: preflight.Route) -> dict[str, list[int]]:
        """From the promotion on, in topics that the target has; one that it lacks (the proxy's) is copied whole."""
        if self._since is None:
            return {}
        old, new = topics.hex_id(self._blue_id), topics.hex_id(self._green_id)
        names = {name: rename(name, old, new) for name in self._since.target if name in route.sources}
        full = self._green.ends({there: route.targets[there] for there in names.values()})
        return {name: self._since.target[name] for name, there in names.items() if any(full[there])}

    @property
    def progress(self) -> Progress:
        """The latest moment, at most a tenth of a second old."""
        return self.watched.progress

    @property
    def watched(self) -> Watched:
        """The same with its lag, the time left, and the log's remaining life."""
        return self._watch.latest

    @property
    def folded(self) -> Folded:
        """What the first pass left out so far, in this run; zeros when it is copied as it is."""
        return self._fold.folded if self._fold else Folded()

    @property
    def alive(self) -> bool:
        """False when the mirror ended for good or failed."""
        return self._thread.alive

    def check(self) -> None:
        """Raises what made the mirror fail, if anything did."""
        self._thread.check()
        if self._deriver is not None:
            self._deriver.check()

    def ends_now(self) -> Mapping[str, list[int]]:
        """Blue's end offsets, asked now."""
        return self._blue.ends({name: len(at) for name, at in self.progress.positions.items()})

    def follow_new_topics(self) -> None:
        """A domain that was created meanwhile gets its topic on green and is mirrored too."""
        self._note()
        try:
            sources = self._blue.cluster().of(self._blue_id)
        except UnreachableError:
            return
        preflight.refuse_grown_topics(self._known, sources)
        crp = topics.crp(self._blue_id)
        new = {name: n for name, n in sources.items() if name not in self._known and name != crp}
        if not new:
            return
        old_hex, new_hex = topics.hex_id(self._blue_id), topics.hex_id(self._green_id)
        targets = {rename(name, old_hex, new_hex): count for name, count in new.items()}
        self._green.create(targets)
        if isinstance(self._thread, Crew):
            self._thread.add(new, {name: rename(name, old_hex, new_hex) for name in new}, targets)
        else:
            self._thread.add(new)
        if self._deriver is not None:
            self._deriver.add(_domains(targets))
        self._known |= new
        self.targets |= targets

    def keep_touched(self) -> None:
        """The first pass is over: which items are touched from here on is noted, for the proof at the switch.

        Workers note nothing: the proof reads the log instead.
        """
        if isinstance(self._thread, MirrorThread) and state.load_clone(self._run_dir) is None:
            self._thread.watch(self._ledger)

    def _ledger(self, at: dict[str, list[int]]) -> Ledger:
        return Ledger(self._run_dir / TOUCHED_FILE, self._plan_id, _of_domains(at))

    def _note(self) -> None:
        note(
            self._run_dir,
            [*self._cures, *filter(None, [self._waiting])],
            self._chain,
            self._thread.noted if isinstance(self._thread, Crew) else (),
        )

    def before_clone(self) -> int:
        """Once the first pass is over: org units go into green's presync topics; how many.

        Nothing is done when this run folder has asked for green's clone already: it reads them at its start only.
        """
        crp, asked = topics.crp(self._green_id), state.load_clone(self._run_dir)
        off = "parents_first" in self._config.replication.disabled_cures
        if off or crp not in self.targets or (asked and asked.green_url == self._config.target.url):
            return 0
        parents = ParentsFirst()
        for record in read_whole(self._config.target.kafka, crp, self.targets[crp], timeout=_READ_WITHIN):
            parents(record)
        units = [r for r in parents.presync(self._green_id) if _domain_topic(r) in self.targets]
        self._cures.append(parents)
        self._green.create({record.topic: self.targets[_domain_topic(record)] for record in units})
        sink = KafkaSink(self._config.target.kafka)
        try:
            sink.send(units)
            sink.flush()
        finally:
            sink.close()
        return len(units)

    def stop(self) -> None:
        """Ends orderly: flush, commit. Raises what made the mirror fail."""
        try:
            self._thread.stop()
        finally:
            self._watch.stop()
            if self._deriver is not None:
                self._deriver.stop()
        self._note()
        self._thread.check()


def _of_domains(positions: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """The topics that a proof's position names."""
    kinds = (TopicKind.ORPHANS, TopicKind.DOMAIN)
    return {
        name: offsets
        for name, offsets in positions.items()
        if (parsed := topics.parse(name)) is not None and parsed.kind in kinds
    }


def _domains(targets: Mapping[str, int]) -> dict[str, int]:
    """Those that are a domain's."""
    parsed = {name: topics.parse(name) for name in targets}
    return {name: targets[name] for name, topic in parsed.items() if topic and topic.kind is TopicKind.DOMAIN}


def _domain_topic(presync: LogRecord) -> str:
    return presync.topic.removesuffix(topics.PRESYNC)


def _wanted(config: Config, route: preflight.Route) -> preflight.Route:
    """The route without a proxy topic that nobody would fill: an empty one is worse for the clone than none."""
    if not route.derived_crp or "crp_dir_entries" not in config.replication.disabled_cures:
        return route
    targets = {name: count for name, count in route.targets.items() if name != route.derived_crp}
    return msgspec.structs.replace(route, targets=targets, derived_crp="")
