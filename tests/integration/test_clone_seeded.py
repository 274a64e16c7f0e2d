"""A running stand-in writes its log; a clone and a bootstrap of it hold the same."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.integration.clone_kit import (
    IID,
    Lab,
    Running,
    differences,
    held,
    in_a_clone,
    placeholders,
    until,
)

from bmswitch.lab.core import Core
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.restore.bootstrap import bootstrap
from bmswitch.lab.restore.reader import Reader, new_group, place_of
from bmswitch.lab.seed import user_uid
from bmswitch.lab.services.shapes_directory import ExternalUser
from bmswitch.lab.site import Seed, StandIn
from bmswitch.lab.store import Item, Store
from bmswitch.lab.supervisor import ports
from bmswitch.model import topics
from bmswitch.model.records import decode_key

DOMAIN = "lab.test"
LOG, ORPHANS, CRP = topics.domain(IID, DOMAIN), topics.orphans(IID), topics.crp(IID)


@pytest.fixture
def lab(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> Lab:
    embedded_kafka.create_topic(ORPHANS, 64)
    embedded_kafka.create_topic(LOG, 64)
    embedded_kafka.create_topic(CRP, 8)
    return Lab(embedded_kafka, tmp_path / "green")


@asynccontextmanager
async def blue(lab: Lab) -> AsyncIterator[Core]:
    """A seeded core that leads."""
    folder = lab.folder.parent / "blue"
    for name in ("data", "etc"):
        (folder / name).mkdir(parents=True)
    core = Core(
        StandIn(
            name="blue",
            version="5.0",
            installation_id=IID,
            address="127.0.0.1",
            http_port=ports.pick({"http": "127.0.0.1"})["http"],
            kafka_bootstrap=lab.kafka.bootstrap,
            data_dir=str(folder / "data"),
            etc_dir=str(folder / "etc"),
            token_file=str(folder / "token"),
            seed=Seed(domain=DOMAIN, users=8, items=15),
        )
    )
    await core.start()
    try:
        yield core
    finally:
        await core.stop()


async def published(core: Core) -> None:
    """Wait until nothing lingers in blue's producer."""
    deadline = time.monotonic() + 10
    while core.services.publisher.waiting():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def feed_proxy_topic(lab: Lab) -> None:
    """What the reverse proxy derives: directory entries and memberships."""
    reader = Reader(lab.kafka.bootstrap, LOG, new_group(IID), 64)
    lines = []
    for message in reader.read_all(time.monotonic() + 20):
        raw, value = message.key(), message.value()
        assert raw is not None
        if decode_key(raw).type in {"dir", "memberships"} and value is not None:
            key, sent = msgspec.json.decode(raw), msgspec.json.decode(value)
            lines.append({"key": key, "value": sent, "partition": 6})
    reader.close()
    lab.produce(CRP, lines)


def with_blue(lab: Lab, work: Callable[[Core], Awaitable[None]]) -> None:
    async def run() -> None:
        async with blue(lab) as core:
            await published(core)
            await work(core)

    asyncio.run(run())


def whole_items(store: Store) -> dict[tuple[str, str], Item]:
    return {(c.uid, item.uid): item for c in store.containers() for item in store.items(c.uid)}


def passwords(store: Store, count: int = 8) -> list[str | None]:
    return [store.password(DOMAIN, user_uid(DOMAIN, index)) for index in range(count)]


def test_a_clone_of_a_seeded_installation_equals_it(lab: Lab) -> None:
    async def compare(core: Core) -> None:
        await asyncio.to_thread(feed_proxy_topic, lab)
        green = Store(":memory:")
        running = await asyncio.to_thread(Running(lab, green).caught_up)
        assert (await asyncio.to_thread(running.promote)).state == "Success"
        invented = placeholders(lab.log)
        assert running.task.failed_domains == []
        assert wrong(green, core.store, invented) == []
        assert passwords(green) == passwords(core.store)
        assert None not in passwords(green)

    with_blue(lab, compare)


def test_a_bootstrap_from_its_own_log_gives_every_version_and_date_back(lab: Lab) -> None:
    async def compare(core: Core) -> None:
        again = Store(":memory:")
        await asyncio.to_thread(bootstrap, lab.site, again)
        theirs, ours = whole_items(core.store), whole_items(again)
        assert theirs.keys() == ours.keys()
        unlike = {key for key, item in theirs.items() if item != ours[key]}
        assert all(touched_without_a_record(theirs[key], key[0]) for key in unlike)
        assert passwords(again) == passwords(core.store)

    with_blue(lab, compare)


def test_live_writes_follow_and_a_deleted_user_leaves_nothing(lab: Lab) -> None:
    async def write(core: Core) -> None:
        await asyncio.to_thread(feed_proxy_topic, lab)
        green, gone = Store(":memory:"), user_uid(DOMAIN, 3)
        running = await asyncio.to_thread(Running(lab, green).caught_up)
        directory = core.services.directory
        with core.services.context.write():
            directory.create(DOMAIN, "guest-2", "EXTERNALUSER", ExternalUser())
            directory.delete(DOMAIN, gone)
        await published(core)
        await asyncio.to_thread(until, lambda: green.item_id(DOMAIN, gone) is None, "the deletion")
        await asyncio.to_thread(until, lambda: green.item_id(DOMAIN, "guest-2") is not None, "the guest")
        await asyncio.to_thread(until, lambda: applied(lab, running), "the rest")
        await asyncio.to_thread(running.promote)
        invented = placeholders(lab.log)
        assert green.containers(owner=gone) == []
        assert [text for text in wrong(green, core.store, invented) if not left_on_blue(text, gone)] == []

    with_blue(lab, write)


def touched_without_a_record(item: Item, container: str) -> bool:
    """Groups whose members changed, domains whose settings did, and servers: their own record is older."""
    return container.startswith(("bluemind-", "domains_")) or b'"kind":"GROUP"' in item.value


def left_on_blue(text: str, gone: str) -> bool:
    """What blue's tables keep of a deleted user, and hierarchy nodes, which a clone never removes."""
    return "container_flat_hierarchy" in text or (text.startswith("missing") and f"'{gone}'" in text)


def applied(lab: Lab, running: Running) -> bool:
    """Whether the clone's positions are the log's ends."""
    reader = Reader(lab.kafka.bootstrap, LOG, new_group(IID), 64)
    reader.close()
    return running.task.positions[LOG] == reader.ends


def wrong(green: Store, blue_store: Store, invented: set[str]) -> list[str]:
    """Differences between both, but for what BlueMind's clone does not keep."""
    return differences(in_a_clone(held(green), invented), in_a_clone(held(blue_store), invented))


def test_positions_are_those_of_the_log(lab: Lab) -> None:
    async def compare(core: Core) -> None:
        await asyncio.to_thread(feed_proxy_topic, lab)
        running = await asyncio.to_thread(Running(lab, Store(":memory:")).caught_up)
        reader = Reader(lab.kafka.bootstrap, LOG, new_group(IID), 64)
        total = sum(place_of(message)[1] >= 0 for message in reader.read_all(time.monotonic() + 20))
        reader.close()
        assert sum(running.task.positions[LOG].values()) == total
        await asyncio.to_thread(running.promote)

    with_blue(lab, compare)
