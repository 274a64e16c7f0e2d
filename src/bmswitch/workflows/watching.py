"""A clone that reads the source's own Kafka (`replication.mode: shared`): nothing is copied, nothing is written to Kafka.

It is only looked at: how far its readers have come, how far behind it is, whether the log outlives that. Until it is caught up the offsets
that its consumer groups have committed tell it, where Kafka tells them. From then on they commit no more (clone-and-api.md 0),
and small writes of our own do.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bmswitch.bluemind.client import Core
from bmswitch.kafka.survey import group_places, group_states
from bmswitch.kafka.topics import Topics
from bmswitch.model import topics
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, RefusedError, UnreachableError
from bmswitch.model.guards.log_outlives_copy import retention
from bmswitch.model.lag import Lag, Left
from bmswitch.model.plan import Plan
from bmswitch.model.status import WorkerStatus
from bmswitch.model.topics import PREFIX, TopicKind
from bmswitch.replication import preflight, state
from bmswitch.replication.folding import Folded
from bmswitch.replication.lag_watch import LagWatch, Watched
from bmswitch.replication.mirror import Progress
from bmswitch.workflows.facts.attempt import quietly
from bmswitch.workflows.pulses import Ends, Pulses

READERS = "clone-"
"""How the consumer groups of a clone begin (change-log.md 1.5)."""
_TIMEOUT = 5.0
_PLACES_EVERY = 1.0
_SHARE = 20
_GROWTH_OVER = 10.0


class Watching:
    """Checks what would do harm, then looks in threads of its own until `stop`.

    Raises (constructor, before the clone is asked for): RefusedError, UnreachableError, AccessError.
    """

    folded = Folded()
    workers: list[WorkerStatus] = []  # noqa: RUF012 - as a mirror's, and never any
    targets: dict[str, int] = {}  # noqa: RUF012 - the same
    alive = True

    def __init__(self, config: Config, plan: Plan, source: Core, target: Core) -> None:
        self._config, self._source, self._target = config, source, target
        self._run_dir, self._kafka = Path(config.run_dir), config.source.kafka
        self._iid = plan.source.installation_id
        self._log = Topics(self._kafka)
        self._counts = self._checked()
        self._domains = _domains(self._counts)
        self._record_bytes = plan.probe.log.record_bytes
        self._lows = self._log.lows(self._domains)
        self._passed: dict[str, list[int]] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self.unseen = ""
        self._pulses: Pulses | None = None
        self._sizes: deque[tuple[float, int]] = deque()
        self._stop = threading.Event()
        self._watch = LagWatch(self._progress, self._log, lambda: False, retention=self._retention())
        self._places = threading.Thread(target=self._look, name="places", daemon=True)
        self._places.start()
        self._watch.start()

    def _checked(self) -> dict[str, int]:
        """The log's topics with their partitions, once nothing speaks against a clone of it."""
        here, there = self._log.cluster(), Topics(self._config.target.kafka).cluster()
        sources, green = here.of(self._iid), self._config.standby
        preflight.refuse_no_log(sources, self._iid)
        if here.id != there.id:
            raise RefusedError(
                f"{green}.kafka is another cluster than {self._config.serving}'s, and replication.mode is shared",
                evidence=f"cluster ids {here.id} and {there.id}",
                consequence=f"{green}'s clone would find no log: it was not asked for",
                next_command=f"leave {green}.kafka out, or set replication.mode: mirror",
            )
        if topics.crp(self._iid) not in sources:
            raise RefusedError(
                f"{self._config.serving}'s Kafka has no topic {topics.crp(self._iid)}, which a clone needs",
                evidence="the central reverse proxy writes it (change-log.md 8.6); only a mirror derives it without one",
                consequence=f"{green}'s clone would end at once: it was not asked for",
                next_command="run BlueMind's reverse proxy (bm-crp) on this log, or set replication.mode: mirror",
            )
        orphans = topics.orphans(self._iid)
        preflight.refuse_unmapped_servers(self._kafka, orphans, sources[orphans], self._config.servers)
        self._refuse_other_log(here.id, sources)
        return sources

    def _refuse_other_log(self, cluster: str, sources: Mapping[str, int]) -> None:
        known = state.load_shared(self._run_dir)
        ids = {f"source {name}": told for name, told in self._ids(sources).items()}
        if known is not None:
            _refuse_made_anew(known, cluster, ids)
        found = known or state.SharedState(cluster)
        changed = msgspec.structs.replace(found, cluster=cluster, topic_ids=found.topic_ids | ids)
        state.save_shared(self._run_dir, changed)

    def _ids(self, sources: Mapping[str, int]) -> dict[str, str]:
        try:
            return self._log.ids(sources)
        except BmswitchError:
            return {}

    def _retention(self) -> float:
        """Seconds after which the log deletes a record; `inf` when it does not, or does not tell."""
        try:
            told = self._log.settings(self._domains)
        except BmswitchError:
            return math.inf
        return min(map(retention, told.values()), default=math.inf)

    def before_clone(self) -> None:
        """Which readers are there already: blue's own of an earlier time, those of a clone that was given up."""
        clone, url = state.load_clone(self._run_dir), self._config.target.url
        known = state.load_shared(self._run_dir)
        if known is None or (clone is not None and clone.green_url == url and known.green_url == url):
            return
        there, _ = quietly(lambda: group_states(self._kafka, READERS, _TIMEOUT), dict[str, str]())
        state.save_shared(self._run_dir, msgspec.structs.replace(known, green_url=url, readers=sorted(there)))

    def ends_now(self) -> Ends:
        """The log's end offsets, asked now."""
        return self._log.ends(self._domains)

    def caught_up(self, ends: Ends) -> None:
        """The target has shown a whole barrier that was written after `ends` were read: from here on pulses tell the lag."""
        self.passed(ends)
        self._pulses = Pulses(self._source, self._target, sorted(self._names()))
        self._pulses.start(self._before_pulse, self.passed)

    def _names(self) -> list[str]:
        return [parsed.domain for name in self._domains if (parsed := topics.parse(name)) is not None]

    def _before_pulse(self) -> Ends:
        return {name: list(ends) for name, ends in self._watch.latest.progress.ends.items()}

    def passed(self, ends: Ends) -> None:
        """The target has applied everything below these ends, as far as what was written tells: a pulse goes through one partition."""
        self._passed = dict(ends)

    @property
    def watched(self) -> Watched:
        """The latest moment; once caught up its lag is what the last pulse took, or the age of the one that is not shown yet."""
        seen = self._watch.latest
        if self._pulses is None:
            return seen
        seconds = self._pulses.seconds
        records = round(self._growth(seen) * seconds)
        lag = Lag(records=records, bytes=round(records * self._record_bytes), seconds=round(seconds, 3))
        near = seconds <= self._config.budgets.max_lag
        left = Left(seconds=seconds, low=seconds, high=seconds) if near else None
        return msgspec.structs.replace(seen, lag=lag, left=left)

    def _growth(self, seen: Watched) -> float:
        """Records a second by which the log has grown in the last ten seconds."""
        now, size = seen.at, sum(map(sum, seen.progress.ends.values()))
        if not self._sizes or now > self._sizes[-1][0]:
            self._sizes.append((now, size))
        while now - self._sizes[0][0] > _GROWTH_OVER:
            self._sizes.popleft()
        then, before = self._sizes[0]
        return (size - before) / (now - then) if now > then else 0.0

    def check(self) -> None:
        """Nothing of ours can fail here: what does not answer is asked again."""

    def follow_new_topics(self) -> None:
        """A topic with other partitions is refused; a new domain is the guard's matter (`orphans`): a clone does not take it up."""
        with contextlib.suppress(UnreachableError):
            now = self._log.cluster().of(self._iid)
            preflight.refuse_grown_topics(self._counts, now)

    def stop(self) -> None:
        """Ends all looking."""
        self._stop.set()
        if self._pulses is not None:
            self._pulses.stop()
        self._places.join(2 * _TIMEOUT)
        self._watch.stop()

    def _progress(self) -> Progress:
        """What is known to be read: at least this. Without any word of Kafka nothing is, until a barrier has passed."""
        committed, passed = dict(self._committed), self._passed
        positions = {
            name: [
                max(low, committed.get((name, p), 0), at)
                for p, (low, at) in enumerate(zip(lows, passed.get(name, lows), strict=True))
            ]
            for name, lows in self._lows.items()
        }
        read = sum(map(sum, positions.values())) - sum(map(sum, self._lows.values()))
        return Progress(records=read, bytes=round(read * self._record_bytes), positions=positions)

    def _look(self) -> None:
        """Asks where the clone's readers are, less often the longer the answer takes; no more once it is caught up."""
        while not self._stop.is_set() and self._pulses is None:
            began = time.monotonic()
            self._committed, self.unseen = quietly(self._places_now, self._committed)
            took = time.monotonic() - began
            self._stop.wait(max(_PLACES_EVERY, _SHARE * took))
        self.unseen = ""

    def _places_now(self) -> dict[tuple[str, int], int]:
        known = state.load_shared(self._run_dir)
        if known is None or known.green_url != self._config.target.url:
            return {}
        tail = f"-of-{(self._config.target.installation_id or self._iid).removeprefix(PREFIX)}"
        found: dict[tuple[str, int], int] = {}
        for group in group_states(self._kafka, READERS, _TIMEOUT):
            if group.endswith(tail) and group not in known.readers:
                found |= group_places(self._kafka, self._domains, group, _TIMEOUT)
        return found


def _domains(counts: Mapping[str, int]) -> dict[str, int]:
    """What is followed to its end: the orphans are read once, and the proxy's topic is no part of the log."""
    parsed = {name: topics.parse(name) for name in counts}
    return {name: counts[name] for name, topic in parsed.items() if topic and topic.kind is TopicKind.DOMAIN}


def _refuse_made_anew(known: state.SharedState, cluster: str, ids: Mapping[str, str]) -> None:
    """Raises RefusedError when a clone was begun on another log than the one that is there now."""
    anew = sorted(name for name, told in ids.items() if known.topic_ids.get(name, told) != told)
    changed = [f"cluster: was {known.cluster}, is {cluster}"] if known.cluster != cluster else []
    changed += [f"{name}: its id was {known.topic_ids[name]}, is {ids[name]}" for name in anew[:3]]
    if changed and known.green_url:
        raise RefusedError(
            "the log is another one than when the clone was asked for",
            evidence="; ".join(changed),
            consequence="its readers' places mean nothing any more: it would miss records, or read others",
            next_command="correct kafka.bootstrap; or a new run_dir, bmswitch plan, and a clone that is built anew",
        )
