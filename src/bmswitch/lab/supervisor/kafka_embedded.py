"""The embedded Kafka of one site, as a process of its own."""

import json
import sys
from pathlib import Path

from bmswitch.lab.supervisor import kafka_control
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn
from bmswitch.model import topics
from bmswitch.model.config import Colour
from bmswitch.model.partition import PARTITIONS

READY = 10.0
CRP_PARTITIONS = 8
"""Of the reverse proxy's directory topic (change-log.md 8.6)."""


def name(colour: Colour) -> str:
    """Name of the part, for both kinds of Kafka."""
    return f"{colour}-kafka"


def control(layout: Layout, colour: Colour) -> Path:
    """Its control socket."""
    return layout.kafka / f"{colour}.sock"


def start(layout: Layout, colour: Colour) -> Process:
    """Starts it without waiting."""
    ready = _ready_file(layout, colour)
    ready.unlink(missing_ok=True)
    options = ["--ready", str(ready), "--control", str(control(layout, colour))]
    return spawn(
        layout, name(colour), [sys.executable, "-m", "bmswitch.lab.embedded_kafka", "serve", *options]
    )


def finish(layout: Layout, colour: Colour, process: Process) -> str:
    """Waits until it is ready; its bootstrap address."""
    ready = _ready_file(layout, colour)
    await_ready(layout, process, ready.exists, READY)
    return str(json.loads(ready.read_text())["bootstrap"])


def create_topics(
    layout: Layout, colour: Colour, installation_id: str, domain: str, *, with_crp: bool = False
) -> None:
    """Makes the topics of an installation, as its core can not do it on this broker; again: changes nothing."""
    names = (topics.orphans(installation_id), topics.domain(installation_id, domain))
    wanted = [f"{name}:{PARTITIONS}" for name in names]
    if with_crp:
        wanted.append(f"{topics.crp(installation_id)}:{CRP_PARTITIONS}")
    kafka_control.create(control(layout, colour), " ".join(wanted))


def create_command(layout: Layout, colour: Colour) -> list[str]:
    """The `create_topics` command of the configuration: clients can not create topics on this broker."""
    return [
        sys.executable,
        "-m",
        "bmswitch.lab.embedded_kafka",
        "create",
        "--control",
        str(control(layout, colour)),
    ]


def _ready_file(layout: Layout, colour: Colour) -> Path:
    return layout.kafka / f"{colour}.json"
