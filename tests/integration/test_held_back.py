"""The copy is held back: by a rate, by a pause, by the health of the side that serves. What was read arrives all the same."""

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from tests.integration.mirror_run import config_for, plan_for
from tests.integration.test_mirror import (
    DOMAIN,
    caught_up,
    content,
    domain_records,
    green_kafka,
    pair,
    publish,
    until,
)

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config, Kafka, Replication
from bmswitch.model.throttle import reason
from bmswitch.replication.valve import Valve
from bmswitch.workflows.mirroring import Mirroring
from bmswitch.workflows.source_health import SourceHealth

__all__ = ["green_kafka", "pair"]
SOURCE = msgspec.structs.replace(plan_for("p1").source, topics={DOMAIN: 64})


def copied(pair: tuple[str, str]) -> int:
    return sum(Topics(Kafka(bootstrap=pair[1])).ends({DOMAIN: 64})[DOMAIN])


@contextlib.contextmanager
def mirroring(folder: Path, pair: tuple[str, str], valve: Valve) -> Iterator[Mirroring]:
    running = Mirroring(config_for(str(folder), *pair), plan_for("p1"), lambda: True, valve=valve)
    try:
        yield running
    finally:
        running.stop()


def test_a_rate_is_not_exceeded_and_everything_arrives(pair: tuple[str, str], tmp_path: Path) -> None:
    publish(pair[0], domain_records(400))
    began = time.monotonic()
    with mirroring(tmp_path, pair, Valve(600)) as running:
        while not caught_up(running):
            seen, passed = copied(pair), time.monotonic() - began
            assert seen <= 600 * passed + 1
            time.sleep(0.02)
    assert copied(pair) == 400


class Counting(Valve):
    """Counts how often nothing was permitted."""

    refused = 0

    def permit(self, most: int) -> int:
        may = super().permit(most)
        self.refused += not may
        return may


def test_nothing_is_read_in_a_pause_what_was_read_is_committed_and_the_rest_follows(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    valve = Counting()
    with mirroring(tmp_path, pair, valve) as running:
        publish(pair[0], domain_records(300))
        until(lambda: caught_up(running))
        valve.hold("paused", "night")
        until(lambda: valve.refused > 1)
        until(lambda: committed(pair) == 300)
        publish(pair[0], domain_records(500)[300:])
        until(lambda: running.progress.lag == 200)
        assert copied(pair) == 300
        valve.lift("paused")
        until(lambda: caught_up(running))
    assert sum(map(len, content(pair[1], DOMAIN).values())) == 500


def committed(pair: tuple[str, str]) -> int:
    reader = LogConsumer(Kafka(bootstrap=pair[0]), "bmswitch-p1")
    try:
        return sum(at or 0 for at in reader.committed({DOMAIN: 64})[DOMAIN])
    finally:
        reader.close()


@contextlib.contextmanager
def frontend(delay: list[float]) -> Iterator[str]:
    """A mail server that greets after so many seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _ = server.accept()
                    stop.wait(delay[0])
                    client.sendall(b"220 lab\r\n")
                    client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join()


def throttled(folder: Path, pair: tuple[str, str], smtp: list[str], **limits: Any) -> Config:
    config = config_for(str(folder), *pair)
    node = msgspec.structs.replace(
        config.proxies[0], frontends=msgspec.structs.replace(config.proxies[0].frontends, smtp=smtp)
    )
    replication = msgspec.convert({"throttle": {"every": 0.02} | limits}, Replication)
    return msgspec.structs.replace(config, proxies=[node], replication=replication)


def test_slow_clients_of_the_side_that_serves_hold_the_copy_back_until_they_are_well(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    delay, valve, near = [0.3], Valve(), [False]
    with frontend(delay) as address:
        config = throttled(tmp_path, pair, [address], latency=0.2)
        health = SourceHealth(config, SOURCE, valve, lambda: near[0])
        health.start()
        try:
            until(lambda: address in valve.held)
            assert "limit 0.2 s" in valve.held
            near[0] = True
            until(lambda: not valve.held)
            near[0] = False
            until(lambda: bool(valve.held))
            delay[0] = 0.0
            until(lambda: not valve.held)
        finally:
            health.stop()


def test_a_frontend_that_does_not_greet_holds_it_back_too(pair: tuple[str, str], tmp_path: Path) -> None:
    config = throttled(tmp_path, pair, ["127.0.0.1:9"], latency=1)
    with ThreadPoolExecutor(4) as pool:
        signs = SourceHealth(config, SOURCE, Valve(), lambda: False).look(pool)
    assert "127.0.0.1:9" in reason(signs, config.replication.throttle)


def test_readers_of_blue_s_own_kafka_that_fall_behind_are_seen(pair: tuple[str, str], tmp_path: Path) -> None:
    publish(pair[0], domain_records(50))
    group = f"proxy-{uuid.uuid4().hex}"
    reader = LogConsumer(Kafka(bootstrap=pair[0]), group)
    ends = Topics(Kafka(bootstrap=pair[0])).ends({DOMAIN: 64})[DOMAIN]
    reader.commit({(DOMAIN, p): 0 for p in range(64)})
    config = throttled(tmp_path, pair, [], groups={group: 49}, copies_in_step=True)
    health = SourceHealth(config, SOURCE, Valve(), lambda: False)
    with ThreadPoolExecutor(4) as pool:
        signs = health.look(pool)
        assert (signs.groups, signs.copies_behind, signs.unread) == ({group: 50}, 0, [])
        assert "50 records behind" in reason(signs, config.replication.throttle)
        reader.commit({(DOMAIN, p): end for p, end in enumerate(ends)})
        assert reason(health.look(pool), config.replication.throttle) == ""
        unknown = throttled(tmp_path, pair, [], groups={"nobody": 1})
        silent = SourceHealth(unknown, SOURCE, Valve(), lambda: False).look(pool)
        assert "nobody" in reason(silent, unknown.replication.throttle)
    reader.close()
