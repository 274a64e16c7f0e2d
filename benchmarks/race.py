"""One copy of a topic by somebody's process: how fast, with how much processor time and memory."""

import resource
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka

DEADLINE = 900.0


class Goal(NamedTuple):
    """So many records on this topic of this cluster."""

    bootstrap: str
    topic: str
    records: int

    def of(self, topic: str) -> "Goal":
        """The same on another topic."""
        return self._replace(topic=topic)


def race(commands: list[list[str]], goal: Goal) -> dict[str, float]:
    """Starts the commands as a pipe, waits for the goal, ends them; see `bench_mirror` for the figures.

    Raises:
        TimeoutError, RuntimeError: not within 15 minutes; the last command failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    running = _piped(commands)
    try:
        first, seconds = _until(goal, running[-1])
        done = time.monotonic() - began
        peak = sum(peak_mib(process.pid) for process in running)
    finally:
        for process in running:
            _end(process)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "records_per_second": round((goal.records - first) / seconds),
        "from_cold": round(goal.records / done),
        "cpu_seconds_per_million": round(cpu / goal.records * 1e6, 2),
        "peak_mib": peak,
    }


def _piped(commands: list[list[str]]) -> list["subprocess.Popen[bytes]"]:
    running: list[subprocess.Popen[bytes]] = []
    for command in commands:
        source = running[-1].stdout if running else subprocess.DEVNULL
        last = command is commands[-1]
        sink = subprocess.DEVNULL if last else subprocess.PIPE
        running.append(subprocess.Popen(command, stdin=source, stdout=sink))
    return running


def _until(goal: Goal, copier: "subprocess.Popen[bytes]") -> tuple[int, float]:
    """Records that were there at the first look that saw any, and the seconds from then to the last."""
    topics = Topics(Kafka(bootstrap=goal.bootstrap))
    deadline = time.monotonic() + DEADLINE
    first, before = 0.0, 0
    while time.monotonic() < deadline:
        if goal.topic in topics.cluster().topics:
            there = sum(topics.ends({goal.topic: 64})[goal.topic])
            now = time.monotonic()
            if there and not first:
                first, before = now, there
            if there >= goal.records:
                return before, max(now - first, 0.1)
        if copier.poll():
            raise RuntimeError(f"{copier.args!r} ended with {copier.returncode}")
        time.sleep(0.1)
    raise TimeoutError(f"{goal.topic} was not copied within {DEADLINE:.0f} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    process.kill()
    process.wait(10)


def peak_mib(pid: int) -> int:
    """Highest resident memory of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0
