"""`bmswitch replicate` as an operator runs it, on a lab: catches up, survives SIGKILL, ends by itself at the switch."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.status import ReplicateStatus
from bmswitch.replication.state import read_status
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.config import load_config
from bmswitch.workflows.sites import open_core

pytestmark = pytest.mark.timeout(400)


class Lab:
    """A lab whose green is provisioned: what is copied next is what `replicate` copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bmswitch.yaml"

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @property
    def run_dir(self) -> Path:
        return Path(self.config.run_dir)

    @property
    def status(self) -> ReplicateStatus | None:
        return read_status(self.run_dir)

    def command(self, *words: str, timeout: float = 120) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "bmswitch", *words], timeout=timeout, capture_output=True, check=False
        )

    def must(self, *words: str) -> None:
        done = self.command(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def replicate(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return self.command("replicate", "-c", str(self.file), "--output", "json", *words)

    @contextmanager
    def following(self) -> "Iterator[subprocess.Popen[bytes]]":
        """`replicate` in the background; killed at the end if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "bmswitch", "replicate", "-c", str(self.file), "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=20)

    def caught_up(self, process: "subprocess.Popen[bytes]") -> None:
        """Waits until the status of exactly this process says so."""

        def said() -> bool:
            assert process.poll() is None, process.communicate()[0]
            status = self.status
            return status is not None and status.pid == process.pid and status.phase == "caught_up"

        until(said)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "lab")
    where = ("--dir", str(made.folder))
    made.must("lab", "up", *where, "--users", "3", "--items", "3")
    try:
        etc = made.folder / "green" / "etc"
        etc.mkdir(parents=True, exist_ok=True)  # what an operator leaves on a machine that is to be a clone
        (etc / "continuous.clone").touch()
        shutil.copy(made.folder / "blue" / "etc" / "mcast.id", etc / "mcast.id.clone")
        made.must("plan", "-c", str(made.file))
        made.must("provision", "-c", str(made.file))
        yield made
    finally:
        made.command("lab", "down", *where)


def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.02)


def answer(raw: bytes) -> dict[str, Any]:
    decoded = msgspec.json.decode(raw)
    assert isinstance(decoded, dict)
    return decoded


def test_the_life_of_a_replication(lab: Lab) -> None:
    """Caught up, alone, killed, resumed, stopped orderly, ended by the switch, and never started again after it."""
    first = answer(lab.replicate("--until", "caught-up").stdout)["result"]
    assert (first["caught_up"], first["quarantined"]) == (True, 0)
    with lab.following() as process:
        lab.caught_up(process)
        second = lab.replicate()
        assert second.returncode == 9
        assert str(process.pid) in answer(second.stdout)["error"]["evidence"]
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    with lab.following() as process:
        lab.caught_up(process)
        with a_green_that_answers_nobody(lab):
            goes_on_telling_that_it_is_there(lab)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    status = lab.status
    assert status is not None
    assert (status.phase, status.lag_records) == ("stopped", 0)
    assert_every_record_of_blue_is_on_green(lab.config)
    with lab.following() as process:
        lab.caught_up(process)
        switch(lab.config)
        result = answer(process.communicate(timeout=60)[0])["result"]
        assert (process.returncode, result["switched"]) == (0, True)
    after = lab.replicate()
    assert after.returncode == 8
    assert "green leads" in answer(after.stdout)["error"]["cause"]


@contextmanager
def a_green_that_answers_nobody(lab: Lab) -> Iterator[None]:
    """Its core stands still."""
    core = int((lab.folder / "green" / "data" / "core.pid").read_text())
    os.kill(core, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(core, signal.SIGCONT)


def goes_on_telling_that_it_is_there(lab: Lab) -> None:
    """Whoever waits for a core must not look dead: the guard of the switch believes a status of the last seconds only."""
    time.sleep(1.0)  # by now it waits for green's core
    before = lab.status
    assert before is not None

    def told_again() -> bool:
        status = lab.status
        return status is not None and status.updated_at > before.updated_at + 1.0

    until(told_again, seconds=4.0)


def switch(config: Config) -> None:
    """The part of a cutover that the mirror must notice: blue steps down, green is promoted."""
    with (
        contextlib.closing(open_core(config, "blue")) as blue,
        contextlib.closing(open_core(config, "green")) as green,
    ):
        run_barrier(blue, green, blue.domains(), timeout=30)
        blue.demote(timeout=20)
        time.sleep(0.5)  # blue's producer keeps its last record back for a quarter of a second
        green.promote(timeout=20)


def assert_every_record_of_blue_is_on_green(config: Config) -> None:
    """By partition, in order; doubled ones are allowed, addresses of servers differ."""
    green = Topics(config.green.kafka).cluster().topics
    for topic, partitions in Topics(config.blue.kafka).cluster().topics.items():
        if "-" not in topic or topic.startswith("__"):
            continue
        assert green[topic] == partitions
        before, after = ({}, {})  # type: dict[int, list[bytes]], dict[int, list[bytes]]
        for kafka, found in ((config.blue.kafka, before), (config.green.kafka, after)):
            for record in read_whole(kafka, topic, partitions):
                found.setdefault(record.partition, []).append(record.key)
        for partition, keys in before.items():
            assert subsequence(keys, after[partition]), (topic, partition)


def subsequence(wanted: list[bytes], there: list[bytes]) -> bool:
    """True when every wanted key is there, in this order."""
    rest = iter(there)
    return all(key in rest for key in wanted)


def test_a_clone_that_says_success_is_not_believed(lab: Lab) -> None:
    """BlueMind's documented defect: a domain fails, the task says Success, green goes RUNNING."""
    lab.must(
        "lab",
        "defect",
        "task-success-though-domain-failed",
        "on",
        "--dir",
        str(lab.folder),
        "--site",
        "green",
    )
    done = lab.replicate()
    assert done.returncode == 15, done.stdout
    error = answer(done.stdout)["error"]
    assert error["kind"] == "clone"
    status = lab.status
    assert status is not None
    assert (status.phase, status.error) == ("failed", error["cause"])
