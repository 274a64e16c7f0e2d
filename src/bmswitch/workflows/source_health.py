"""Looks at the side that serves while the copy runs, and has the copy stand still when that side has enough to do.

Only what the configuration gives a limit is asked for. A copy that is near the end is never held back.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from bmswitch.kafka.survey import copies_behind, group_behind
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, UnknownError
from bmswitch.model.plan import Fingerprint
from bmswitch.model.throttle import Signs, reason
from bmswitch.replication.valve import Valve
from bmswitch.workflows.sites import open_survey, verification
from bmswitch.workflows.soak import probe_http, probe_tcp

_TIMEOUT = 5.0
_READERS = 16
_IDLE = slice(3, 5)
"""Columns `idle` and `iowait` of the kernel's line `cpu` in /proc/stat."""
Told = TypeVar("Told")
Ticks = tuple[int, int]
"""All ticks of a machine's processors, and the idle ones among them."""


class SourceHealth:
    """A thread of its own between `start` and `stop`. `near` is asked whether the copy is near the end."""

    def __init__(self, config: Config, source: Fingerprint, valve: Valve, near: Callable[[], bool]) -> None:
        self._config, self._source, self._valve, self._near = config, source, valve, near
        self._limits = config.replication.throttle
        self._ticks: dict[str, Ticks] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source-health", daemon=True)

    def start(self) -> None:
        """Begins to look, when there is anything to look at."""
        if self._limits.any:
            self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_TIMEOUT * 2)
        self._valve.lift("throttled")

    def _run(self) -> None:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="health") as pool:
            while not self._stop.is_set():
                said = "" if self._near() else reason(self.look(pool), self._limits)
                if said and not self._near():
                    self._valve.hold("throttled", said)
                else:
                    self._valve.lift("throttled")
                self._stop.wait(self._limits.every)

    def look(self, pool: ThreadPoolExecutor) -> Signs:
        """One look, everything side by side."""
        unread: list[str] = []
        limits, kafka = self._limits, self._config.source.kafka
        cpu = {m: pool.submit(self._busy, m) for m in self._source.servers} if limits.cpu else {}
        latency = dict(_greetings(self._config, pool)) if limits.latency else {}
        topics = self._source.topics
        groups = {g: pool.submit(group_behind, kafka, topics, g, _TIMEOUT) for g in limits.groups}
        copies = {"copies": pool.submit(copies_behind, kafka, _TIMEOUT)} if limits.copies_in_step else {}
        return Signs(
            cpu=_answers(cpu, unread),
            latency=_answers(latency, unread),
            groups=_answers(groups, unread),
            copies_behind=sum(_answers(copies, unread).values()),
            unread=unread,
        )

    def _busy(self, machine: str) -> float:
        """The busy share of a machine's processors since the last look; 0 at the first one."""
        with contextlib.closing(open_survey(self._config, self._config.serving, timeout=_TIMEOUT)) as survey:
            now = ticks(survey.run(machine, ["grep", "-m1", "^cpu ", "/proc/stat"]).text)
        before = self._ticks.get(machine, now)
        self._ticks[machine] = now
        passed = now[0] - before[0]
        return 1.0 - (now[1] - before[1]) / passed if passed > 0 else 0.0


def ticks(line: str) -> Ticks:
    """The kernel's line `cpu ...`. Raises UnknownError when it is something else."""
    words = line.split()
    if len(words) < 6 or words[0] != "cpu" or not all(word.isdecimal() for word in words[1:]):
        raise UnknownError("a machine's processor time can not be read", evidence=line[:200])
    spent = [int(word) for word in words[1:9]]
    return sum(spent), sum(spent[_IDLE])


def _greetings(config: Config, pool: ThreadPoolExecutor) -> Iterator[tuple[str, Future[float]]]:
    """Every frontend by its address, being asked."""
    verify = verification(config.source.tls)
    for node in config.proxies:
        for url in node.frontends.http:
            yield url, pool.submit(_timed, partial(probe_http, node.name, url, verify))
        for addresses, greeting in ((node.frontends.imap, "* OK"), (node.frontends.smtp, "220")):
            for at in addresses:
                yield at, pool.submit(_timed, partial(probe_tcp, node.name, at, greeting))


def _timed(ask: Callable[[], str]) -> float:
    """Seconds that it took. Raises UnknownError when something was wrong with it."""
    start = time.monotonic()
    wrong = ask()
    if wrong:
        raise UnknownError("a frontend does not greet as it should", evidence=wrong)
    return time.monotonic() - start


def _answers(asked: dict[str, "Future[Told]"], unread: list[str]) -> dict[str, Told]:
    """What was answered; the rest goes to `unread` in words."""
    found: dict[str, Told] = {}
    for name, answer in asked.items():
        try:
            found[name] = answer.result()
        except BmswitchError as error:
            unread.append(f"{name}: {error.cause} {error.evidence}".strip())
    return found
