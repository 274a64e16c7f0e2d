"""What runs of a lab, where, and whether its Kafkas still have all records."""

import msgspec

from bmswitch.lab.supervisor import kafka_embedded
from bmswitch.lab.supervisor.layout import COLOURS, Layout
from bmswitch.lab.supervisor.process import memory, recorded
from bmswitch.lab.supervisor.state import State, require_state
from bmswitch.lab.supervisor.up import expected_parts, running_parts
from bmswitch.model.errors import BmswitchError


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One part. `memory` is resident bytes; `records` and `dropped` are of its topics, None for what is no Kafka."""

    name: str
    state: str
    address: str
    pid: int | None
    memory: int
    log: str
    records: int | None = None
    dropped: int | None = None


class LabStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All parts. `healthy`: everything that should run does, and no record was dropped."""

    directory: str
    kafka: str
    s3: str
    proxy: str
    healthy: bool
    parts: list[PartStatus]
    topics: dict[str, dict[str, dict[str, int]]]


def status(layout: Layout) -> LabStatus:
    """Asks the system and both Kafkas now. Raises LabError when there is no lab."""
    state = require_state(layout)
    topics = {
        c: counts for c in COLOURS if (counts := _topics(layout, state, kafka_embedded.name(c))) is not None
    }
    running = running_parts(layout, state)
    traffic = recorded(layout, "traffic")
    if traffic is not None:
        running["traffic"] = traffic
    parts = []
    for name in [*expected_parts(state), *(["traffic"] if traffic else [])]:
        process = running.get(name)
        known = state.parts.get(name)
        counts = next((topics[c] for c in topics if kafka_embedded.name(c) == name), None)
        parts.append(
            PartStatus(
                name=name,
                state="up" if process else _why_down(layout, name),
                address=known.address if known else "",
                pid=process.pid if process else None,
                memory=memory(process) if process else 0,
                log=str(layout.log(name)),
                records=_total(counts, "records"),
                dropped=_total(counts, "dropped"),
            )
        )
    healthy = all(part.state != "down" and not part.dropped for part in parts)
    return LabStatus(
        directory=str(layout.root),
        kafka=state.kafka,
        s3=state.s3,
        proxy=state.proxy,
        healthy=healthy,
        parts=parts,
        topics={colour: topics[colour] for colour in topics},
    )


def _why_down(layout: Layout, name: str) -> str:
    """`fenced`: a core that was demoted and stopped on purpose."""
    colour = name.removesuffix("-core")
    return "fenced" if (layout.root / colour / "etc" / "bm-core.disabled").exists() else "down"


def _topics(layout: Layout, state: State, name: str) -> dict[str, dict[str, int]] | None:
    """Counts of one Kafka by topic; None when it does not answer."""
    colour = next(c for c in COLOURS if kafka_embedded.name(c) == name)
    if recorded(layout, name) is None:
        return None
    try:
        if state.kafka == "embedded":
            from bmswitch.lab.supervisor.kafka_control import status as ask  # noqa: PLC0415 -- this kind only

            return ask(kafka_embedded.control(layout, colour))
        from bmswitch.lab.supervisor import watermarks  # noqa: PLC0415 -- slow import

        return watermarks.topic_counts(watermarks.open_topics(state.bootstraps[colour]))
    except BmswitchError:
        return None


def _total(counts: dict[str, dict[str, int]] | None, what: str) -> int | None:
    return None if counts is None else sum(count[what] for count in counts.values())
