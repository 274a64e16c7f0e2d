"""What is checked before the mirror writes anything: topics, partitions, servers, whose the target is."""

from collections.abc import Iterable, Mapping

import msgspec

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.topics import Topics
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RecordError, RefusedError
from bmswitch.model.records import LogRecord
from bmswitch.model.topics import TopicKind
from bmswitch.replication.cures.crp_dir_entries import PARTITIONS as CRP_PARTITIONS
from bmswitch.replication.cures.installation_id import rename
from bmswitch.replication.cures.server_addresses import server_uid, unmapped


class Route(msgspec.Struct, frozen=True):
    """What is copied where. `sources` are blue's topics, `targets` green's, both with their partitions.

    `derived_crp` is green's proxy topic when it must be derived, empty when blue has its own.
    """

    sources: dict[str, int]
    targets: dict[str, int]
    derived_crp: str
    blue_cluster: str
    green_cluster: str


def route(blue: Topics, green: Topics, blue_id: str, green_id: str) -> Route:
    """Reads both clusters. Raises UnreachableError, AccessError, and RefusedError when blue has no log."""
    here, there = blue.cluster(), green.cluster()
    sources = here.of(blue_id)
    kinds = {t.kind for t in map(topics.parse, sources) if t is not None}
    refuse_no_log(sources, blue_id)
    if here.id and here.id == there.id and blue_id == green_id:
        raise RefusedError(
            "blue and green are the same Kafka cluster",
            evidence=f"cluster id {here.id}",
            consequence="a mirror onto itself would never end: nothing was written",
            next_command="give green its own Kafka, or set replication.mode: shared",
        )
    old, new = topics.hex_id(blue_id), topics.hex_id(green_id)
    targets = {rename(name, old, new): count for name, count in sources.items()}
    derived = "" if TopicKind.CRP in kinds else topics.crp(green_id)
    if derived:
        targets[derived] = CRP_PARTITIONS
    return Route(sources, targets, derived, here.id, there.id)


def refuse_no_log(sources: Mapping[str, int], iid: str) -> None:
    """Raises RefusedError when an installation's topics (with their partitions) have no orphans topic among them."""
    if topics.orphans(iid) not in sources:
        raise RefusedError(
            f"blue's Kafka has no log of {iid}",
            evidence=f"{topics.orphans(iid)} is not there",
            next_command="check blue.installation_id and blue.kafka in the configuration",
        )


def refuse_unmapped_servers(
    kafka: Kafka, orphans: str, partitions: int, servers: Mapping[str, str]
) -> set[str]:
    """Reads the whole orphans topic; the uids of its servers. RefusedError when one of them has no address."""
    uids = set(_servers(read_whole(kafka, orphans, partitions)))
    missing = uids - servers.keys()
    if missing:
        raise unmapped(missing)
    return uids


def _servers(records: Iterable[LogRecord]) -> Iterable[str]:
    for record in records:
        try:
            uid = server_uid(record)
        except RecordError as error:
            raise RefusedError(
                "a server record of blue's log can not be read: its uid may be unmapped",
                evidence=f"{record.topic} partition {record.partition} offset {record.offset}: {error.evidence}",
            ) from error
        if uid is not None:
            yield uid


def refuse_foreign_records(green: Topics, targets: Mapping[str, int], ours: bool) -> None:  # noqa: FBT001 - read by name
    """Raises RefusedError when green's topics hold records and no run of ours wrote them."""
    if ours:
        return
    full = sorted(name for name, ends in green.ends(targets).items() if any(ends))
    if full:
        raise RefusedError(
            f"green's Kafka has records already: {', '.join(full[:3])}",
            evidence="no earlier run of this run folder wrote them",
            consequence="mixing two logs can not be undone: nothing was written",
            next_command="delete these topics on green's Kafka if nothing uses them, and run the command again",
        )


def refuse_other_topics(known: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises RefusedError when a topic was deleted and made anew: its offsets count other records than those that we know.

    Keys are the side and the topic's name. A topic that is not told of now is not judged.
    """
    anew = sorted(name for name, is_now in now.items() if known.get(name, is_now) != is_now)
    if anew:
        side, _, topic = anew[0].partition(" ")
        raise RefusedError(
            f"topic {topic} of the {side}'s Kafka was deleted and made anew",
            evidence=f"its id was {known[anew[0]]}, is {now[anew[0]]}; {len(anew)} topics in all",
            consequence="our place in it means nothing any more: nothing was written",
            next_command="make a new plan in a new run_dir, and begin on empty topics of the target",
        )


def refuse_grown_topics(known: Mapping[str, int], now: Mapping[str, int]) -> None:
    """Raises RefusedError when a topic has another number of partitions than when the copy began."""
    for topic in sorted(known.keys() & now.keys()):
        if known[topic] != now[topic]:
            raise RefusedError(
                f"topic {topic} of the source has {now[topic]} partitions, it had {known[topic]} when the copy began",
                evidence="the partition of an owner depends on their number: its records are split from now on",
                consequence="the copy was stopped: it would lack the new partitions",
                next_command="find out who changed the topic; a log with split owners can not be replayed in order",
            )


def refuse_other_cluster(known: tuple[str, str], now: tuple[str, str], full: Iterable[str]) -> None:
    """Raises RefusedError when this run folder copied between other clusters (ids of source and target), and `full` topics hold records."""
    there = sorted(full)
    if known == now or not there:
        return
    changed = [
        f"{side} Kafka: was {was}, is {is_now}"
        for side, was, is_now in zip(("source's", "target's"), known, now, strict=True)
        if was != is_now
    ]
    raise RefusedError(
        "this run folder has copied between other Kafka clusters",
        evidence="; ".join(changed),
        consequence=f"{len(there)} topics of the target hold records that may be of another log: nothing was written",
        next_command="correct kafka.bootstrap, or make a new plan in a new run_dir and begin on empty topics",
    )
