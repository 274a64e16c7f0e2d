"""Replays blue's log onto green's own Kafka, keeps it there, and has green restore itself from it.

Order: lock, checks of everything that could do harm, mirror, first pass, green's clone, barrier, follow. It ends by
itself when green was promoted: green's log must never get a record of blue afterwards.
"""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.bluemind.client import CloneRequest, Core
from bmswitch.journal.lock import Lock
from bmswitch.model.barrier import new_nonce
from bmswitch.model.config import Config
from bmswitch.model.errors import (
    BmswitchError,
    CloneError,
    InterruptedRunError,
    RefusedError,
    UnknownError,
    UnreachableError,
)
from bmswitch.model.lag import too_late
from bmswitch.model.plan import Plan
from bmswitch.model.status import Phase, ReplicateStatus
from bmswitch.replication import state
from bmswitch.replication.folding import Folded
from bmswitch.replication.lag_watch import Watched
from bmswitch.replication.mirror import Progress
from bmswitch.replication.valve import Valve
from bmswitch.workflows.barrier import barrier_passed, ensure_barrier, write_barrier
from bmswitch.workflows.clone_watch import DEMOTED, RUNNING, CloneWatch
from bmswitch.workflows.due import Due
from bmswitch.workflows.history import remember
from bmswitch.workflows.mirroring import Mirroring
from bmswitch.workflows.pausing import FILE as PAUSE_FILE
from bmswitch.workflows.pausing import announce, obey
from bmswitch.workflows.plan import check_fresh, refuse_stops
from bmswitch.workflows.promotion import Promotion
from bmswitch.workflows.pulse import Pulse
from bmswitch.workflows.sites import open_core, sysconf_override
from bmswitch.workflows.source_health import SourceHealth
from bmswitch.workflows.watching import Watching
from bmswitch.workflows.withholding import withhold_log_right

_STATUS_EVERY = 0.1
_GREEN_EVERY = 0.5
_TASK_EVERY = 1.0
_TOPICS_EVERY = 5.0
_ANNOUNCE_EVERY = 1.0
_TICK = 0.05
_FAREWELL_WITHIN = 2.0
_NONCE_AGAIN = 10.0


class Replicated(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the command did; counts are of this run, `quarantined` of the run folder.

    `records` went on to the target; of those of a folded first pass `folded_read` were read and `folded_kept` went on. In `mode` shared
    nothing was copied: `records` are those that the clone's own readers have committed.
    """

    records: int
    bytes: int
    seconds: float
    records_per_second: float
    quarantined: int
    topics: dict[str, int]
    folded_read: int
    folded_kept: int
    caught_up: bool
    switched: bool
    mode: Literal["mirror", "shared"] = "mirror"


Tell = Callable[[ReplicateStatus], None]


def run_replicate(
    config: Config,
    plan: Plan,
    *,
    until_caught_up: bool,
    tell: Tell,
    stop: threading.Event,
    since: Promotion | None = None,
    rate: float | None = None,
    workers: int = 0,
) -> Replicated:
    """Runs until it is caught up, told to stop, or the target was promoted. `since`: see `Mirroring`.

    `rate` is the most records a second that are read, 0 for no limit; None: as configured. `workers`: see `Mirroring`.

    Raises:
        StalePlanError: blue is not what the plan was made for.
        BusyError: another replicate works on this run folder.
        RefusedError: something would do harm; nothing was written.
        UnreachableError: a Kafka or core does not answer.
        CloneError: green's clone failed.
        InterruptedRunError: stopped before it was caught up, although that was asked for.
    """
    run_dir = Path(config.run_dir)
    with Lock(run_dir / "replicate.lock", "replicate"):
        blue, green = open_core(config, config.serving), open_core(config, config.standby)
        run = _Run(
            config,
            plan,
            blue=blue,
            green=green,
            tell=tell,
            stop=stop,
            since=since,
            rate=rate,
            workers=workers,
        )
        try:
            with run.pulse:
                return run.go(until_caught_up=until_caught_up)
        except BmswitchError as error:
            run.report("failed", error=error.cause)
            raise
        except Exception as error:
            run.report("failed", error=f"a defect of bmswitch: {type(error).__name__}")
            raise
        finally:
            blue.close()
            green.close()


class _Run:
    """The state of one run: who is asked, who copies, when each thing was looked at last."""

    def __init__(
        self,
        config: Config,
        plan: Plan,
        *,
        blue: Core,
        green: Core,
        tell: Tell,
        stop: threading.Event,
        since: Promotion | None,
        rate: float | None,
        workers: int,
    ) -> None:
        self._since, self._workers = since, workers
        self._valve = Valve(config.replication.rate if rate is None else rate)
        self._health = SourceHealth(config, plan.source, self._valve, self._near)
        self._config, self._plan, self._blue, self._green = config, plan, blue, green
        self._tell, self._stop = tell, stop
        self._run_dir = Path(config.run_dir)
        self._mirror: Mirroring | None = None
        self._watching: Watching | None = None
        self._clone: CloneWatch | None = None
        self._phase: Phase = "starting"
        self._reporting = threading.Lock()
        self.pulse = Pulse(self._still_there, _STATUS_EVERY)
        self._started_at, self._started = time.time(), time.monotonic()
        self._asked_rate = rate
        self._due = Due()
        self._switched = False
        self._rate = _Rate()
        self._first_pass_done = (0, 0.0)
        self._asked = False

    def go(self, *, until_caught_up: bool) -> Replicated:
        """The command's order of things."""
        began = time.monotonic()
        self.report("starting")
        _refuse_leading_green(self._green)
        check_fresh(self._plan, self._config)
        refuse_stops(self._plan)
        caught_up = False
        if self._workers:
            refuse_sharing(self._config, self._since)
        if self._config.replication.mode == "shared":
            refuse_copying(self._run_dir, self._asked_rate)
            self._watching = Watching(self._config, self._plan, self._blue, self._green)
        else:
            obey(self._run_dir, self._valve)
            self._mirror = Mirroring(
                self._config,
                self._plan,
                self._may_write,
                self._since,
                valve=self._valve,
                workers=self._workers,
            )
            self._health.start()
        try:
            if self._first_pass() and self._start_clone():
                caught_up = self._barrier()
            if caught_up:
                self.report("caught_up")
                self._remember(time.monotonic() - began)
                while not until_caught_up and self._tick():
                    pass
        finally:
            self._health.stop()
            self._end_mirror()
        if until_caught_up and not caught_up and not self._switched:
            raise InterruptedRunError(
                f"stopped before {self._config.standby} was caught up",
                consequence="what was copied stays; the next run goes on from there",
                next_command="bmswitch replicate --until caught-up",
            )
        self.report("stopped")
        return self._result(caught_up=caught_up)

    def _remember(self, seconds: float) -> None:
        """For later plans; a run that only went on from where an earlier one was says nothing about the whole."""
        whole = self._first_pass_done[0] >= self._plan.volume.total_records / 2
        if whole or (self._watching is not None and self._asked):
            remember(self._config, self._plan, "replicate", seconds, "caught up")

    def _may_write(self) -> bool:
        """Asked by the mirror after the leader's farewell: False once green leads."""
        return self._green.state() != RUNNING

    def _near(self) -> bool:
        """The copy follows closely: what is held back now saves the source nothing, and would make a switch wait."""
        return self._watched().lag.seconds <= self._config.budgets.max_lag

    def _first_pass(self) -> bool:
        """Copies what was there when we began; False when stopped."""
        if self._mirror is None:
            return True
        self.report("copying")
        began, before = time.monotonic(), self._progress().records
        goal = self._mirror.ends_now()
        while not self._mirror.settled(goal):
            if not self._tick():
                return False
        self._first_pass_done = (self._progress().records - before, round(time.monotonic() - began, 3))
        return True

    def _start_clone(self) -> bool:
        """Green's clone runs after this; False when stopped."""
        self.report("cloning")
        if self._mirror is not None:
            self._mirror.keep_touched()
            self._mirror.before_clone()
        if self._watching is not None:
            self._watching.before_clone()
            withhold_log_right(self._config, self._plan)
        blue_id = self._plan.source.installation_id
        green_id = self._config.target.installation_id or blue_id
        request = CloneRequest(
            source_installation_id=green_id if self._mirror else blue_id,
            target_installation_id=green_id,
            uid_to_ip_mapping=self._config.servers,
            sysconf_override=sysconf_override(self._config),
            mode="TAIL",
            clone_workers=self._config.replication.clone_workers,
        )
        self._asked = state.load_clone(self._run_dir) is None
        self._clone = CloneWatch(self._green, self._run_dir, request)
        self._clone.ensure()
        self.report("cloning")
        return self._tick()

    def _barrier(self) -> bool:
        """Waits until a nonce in every partition of every domain is readable on green; False when stopped.

        The nonce is written anew at growing intervals, as another command's barrier may overwrite it.
        """
        domains = self._blue.domains()
        ensure_barrier(self._blue, domains)
        deadline = time.monotonic() + self._config.replication.caught_up_timeout
        nonce, again, pause = "", 0.0, _NONCE_AGAIN
        ends: Mapping[str, list[int]] = {}
        while True:
            now = time.monotonic()
            if now >= again:
                ends = self._watching.ends_now() if self._watching else {}
                nonce = new_nonce()
                write_barrier(self._blue, domains, nonce)
                again, pause = now + pause, pause * 2
            missing = self._missing(domains, nonce)
            if missing == 0:
                if self._watching is not None:
                    self._watching.caught_up(ends)
                return True
            if now > deadline:
                raise UnknownError(
                    f"{self._config.standby} did not catch up within replication.caught_up_timeout",
                    evidence=f"{missing} of {64 * len(domains)} partitions do not show the barrier",
                    consequence="traffic was not touched; what was copied stays",
                    next_command="bmswitch status; bmswitch replicate goes on from here",
                )
            if not self._tick():
                return False

    def _missing(self, domains: list[str], nonce: str) -> int:
        """Partitions that do not show the nonce; all of them while green does not answer or knows no such domain."""
        try:
            return barrier_passed(self._green, domains, nonce)
        except (UnreachableError, UnknownError):
            return 64 * len(domains)

    def _tick(self) -> bool:
        """One short wait with everything that must be looked at meanwhile; False when it is time to end."""
        if self._mirror is not None:
            obey(self._run_dir, self._valve)
        if self._workers and self._due("announce", _ANNOUNCE_EVERY):
            announce(self._run_dir, self._valve.reason("throttled"))
        self.pulse.check()
        if self._mirror is not None:
            self._mirror.check()
            if not self._mirror.alive:
                self._switched = self._mirror.progress.finished
                return False
            refuse_short_life(self._watched(), self._config.budgets.max_lag)
            if self._due("topics", _TOPICS_EVERY):
                self._mirror.follow_new_topics()
        if self._watching is not None:
            refuse_short_life(self._watched(), self._config.budgets.max_lag)
            if self._due("topics", _TOPICS_EVERY):
                self._watching.follow_new_topics()
        if self._clone is not None and self._due("green", _GREEN_EVERY) and self._green_leads():
            self._switched = True
            return False
        if self._clone is not None and self._due("task", _TASK_EVERY):
            self._check_clone()
        return not self._stop.wait(_TICK)

    def _check_clone(self) -> None:
        """The task's end is a failure, unless it is the promotion that ended it."""
        if self._clone is None:
            return
        try:
            self._clone.check()
        except CloneError:
            if not self._green_leads():
                raise

    def _green_leads(self) -> bool:
        """True when green was promoted in a switch. Raises CloneError when it is RUNNING without one."""
        try:
            if self._green.state() != RUNNING:
                return False
        except UnreachableError:
            return False
        deadline = time.monotonic() + _FAREWELL_WITHIN
        while time.monotonic() < deadline:
            if self._progress().farewell or _stepped_down(self._blue):
                return True
            time.sleep(_TICK)
        cause = f"{self._config.standby} is RUNNING although nobody promoted it: its clone failed"
        raise self._clone.failed(cause) if self._clone else CloneError(cause)

    def _end_mirror(self) -> None:
        if self._watching is not None:
            self._watching.stop()
        if self._mirror is not None:
            self._mirror.stop()

    def _folded(self) -> Folded:
        return self._mirror.folded if self._mirror is not None else Folded()

    def _watched(self) -> Watched:
        looking = self._mirror or self._watching
        return looking.watched if looking is not None else Watched(progress=Progress())

    def _progress(self) -> Progress:
        return self._watched().progress

    def report(self, phase: Phase, *, error: str = "") -> None:
        """Writes the status file and tells whoever shows it."""
        with self._reporting:
            self._phase = phase
            self._write_status(error)

    def _still_there(self) -> None:
        with self._reporting:
            self._write_status()

    def _write_status(self, error: str = "") -> None:
        watched, folded = self._watched(), self._folded()
        progress, lag, left = watched.progress, watched.lag, watched.left
        now = time.time()
        status = ReplicateStatus(
            plan_id=self._plan.id,
            pid=os.getpid(),
            phase=self._phase,
            started_at=self._started_at,
            updated_at=now,
            records=progress.records,
            bytes=progress.bytes,
            records_per_second=self._rate(progress.records),
            lag_records=lag.records,
            lag_bytes=lag.bytes,
            lag_seconds=lag.seconds,
            left_seconds=_finite(left.seconds if left else None),
            left_low=_finite(left.low if left else None),
            left_high=_finite(left.high if left else None),
            log_life_seconds=_finite(watched.life),
            positions=progress.positions,
            ends=progress.ends,
            quarantined=progress.quarantined,
            folded_read=folded.read,
            folded_kept=folded.kept,
            first_pass_records=self._first_pass_done[0],
            first_pass_seconds=self._first_pass_done[1],
            held=self._valve.held,
            held_seconds=round(self._valve.held_seconds, 3),
            rate_limit=self._valve.rate,
            workers=self._mirror.workers if self._mirror else [],
            clone_task=self._clone.task if self._clone else "",
            mode=self._config.replication.mode,
            unseen=self._watching.unseen if self._watching else "",
            error=error,
        )
        state.write_status(self._run_dir, status)
        self._tell(status)

    def _result(self, *, caught_up: bool) -> Replicated:
        progress, folded = self._progress(), self._folded()
        seconds = time.monotonic() - self._started
        return Replicated(
            records=progress.records,
            bytes=progress.bytes,
            seconds=round(seconds, 3),
            records_per_second=round(progress.records / seconds, 1),
            quarantined=progress.quarantined,
            topics=self._mirror.targets if self._mirror else {},
            folded_read=folded.read,
            folded_kept=folded.kept,
            caught_up=caught_up,
            switched=self._switched,
            mode=self._config.replication.mode,
        )


class _Rate:
    """Records per second over the last seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=25)

    def __call__(self, records: int) -> float:
        now = time.monotonic()
        self._marks.append((now, records))
        then, before = self._marks[0]
        return round((records - before) / (now - then), 1) if now > then else 0.0


def refuse_sharing(config: Config, since: Promotion | None) -> None:
    """Raises RefusedError where several workers would do harm."""
    why = ""
    if config.replication.mode == "shared":
        why = "replication.mode is shared: nothing is copied"
    elif config.replication.fold:
        why = "replication.fold leaves out records that only a single reader can know to be needless"
    elif since is not None:
        why = "the way back is copied by one process, as its target's log goes on where it was"
    if why:
        raise RefusedError(
            "this copy can not be shared by workers",
            evidence=why,
            consequence="nothing was written",
            next_command="bmswitch replicate, without --workers",
        )


def refuse_copying(run_dir: Path, rate: float | None) -> None:
    """Raises RefusedError for what only a copy has, in shared mode: a rate, a pause."""
    paused = run_dir / PAUSE_FILE
    why = ""
    if rate is not None:
        why = "--rate limits a copy"
    elif paused.exists():
        why = f"{paused} asks for a pause of the copy"
    if why:
        raise RefusedError(
            "nothing is copied with replication.mode: shared",
            evidence=f"{why}; the clone reads the source's log by itself, and nobody can hold it back",
            consequence="the clone was not asked for",
            next_command=f"remove {paused}, or stop the clone's core" if paused.exists() else "leave it out",
        )


def refuse_short_life(watched: Watched, near: float) -> None:
    """Raises RefusedError when the log will have lost records before they can be copied.

    A copy that is less than `near` seconds behind keeps up: nothing is predicted then.
    """
    left = watched.left
    if watched.lag.seconds > near and left is not None and too_late(watched.life, left):
        takes = "does not end at this speed" if math.isinf(left.seconds) else f"takes {left.seconds:.0f} s"
        raise RefusedError(
            "the source's log loses its records sooner than they can be copied safely",
            evidence=f"it keeps them for {watched.life:.0f} s more, the catch-up {takes}: twice that is needed",
            consequence="the copy was stopped before it has a hole; what was copied stays",
            next_command="lengthen the retention of blue's topics, raise the rate or the workers, then bmswitch replicate",
        )


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds, 3)


def _refuse_leading_green(green: Core) -> None:
    """Green's own log starts with its promotion: a record of blue in it would undo what users wrote since."""
    if green.state() == RUNNING:
        raise RefusedError(
            f"{green.name} leads already: its log takes no records of the other side any more",
            consequence="nothing was written",
            next_command="bmswitch status",
        )


def _stepped_down(blue: Core) -> bool:
    """True when blue is demoted or does not answer at all."""
    try:
        return blue.state() == DEMOTED
    except UnreachableError:
        return True
