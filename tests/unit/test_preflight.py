"""One world for each thing that can be wrong beforehand: facts in, the guard that speaks out."""

import msgspec
import pytest

from bmswitch.model.plan import Level
from bmswitch.model.preflight import GUARDS, Facts, NodeFacts, SideFacts, examine

HEX = "0" * 32
GOOD = Facts(
    blue=SideFacts(
        url="http://blue:8090",
        state="CORE_STATE_RUNNING",
        version="5.0.1",
        installation_id="bluemind-00000000-0000-0000-0000-000000000000",
        domains=["lab.test"],
        servers={"bm-master": "10.0.0.1"},
        kafka_cluster_id="kafka-blue",
        topics={f"{HEX}-__orphans__": 64, f"{HEX}-lab.test": 64, f"{HEX}-crp-dir-entries": 8},
        records={f"{HEX}-lab.test": 10},
    ),
    green=SideFacts(url="http://green:8090", core_error="no answer", kafka_cluster_id="kafka-green"),
    blue_version="5.0",
    green_version="5.1",
    server_map={"bm-master": "10.1.0.1"},
    mode="mirror",
    bodies=3,
    bucket_error="",
    nodes=[NodeFacts("edge-1", "blue", 0)],
    has_stop=True,
    has_start=True,
    has_kick=True,
)


def blue(**changes: object) -> Facts:
    return msgspec.structs.replace(GOOD, blue=msgspec.structs.replace(GOOD.blue, **changes))


def green(**changes: object) -> Facts:
    return msgspec.structs.replace(GOOD, green=msgspec.structs.replace(GOOD.green, **changes))


def facts(**changes: object) -> Facts:
    return msgspec.structs.replace(GOOD, **changes)


def test_a_good_world_passes_every_guard() -> None:
    found = examine(GOOD)
    assert {finding.level for finding in found} == {Level.passed}
    assert [finding.guard for finding in found] == [guard.__name__ for guard in GUARDS]


WORLDS = [
    ("blue_serves", Level.stop, blue(state="CORE_STATE_DEMOTED")),
    ("blue_serves", Level.unknown, blue(core_error="connection refused")),
    ("green_is_free", Level.stop, green(state="CORE_STATE_RUNNING", domains=["other.test"])),
    ("green_is_free", Level.stop, green(state="CORE_STATE_UPGRADE")),
    ("two_sites", Level.stop, green(url="http://blue:8090")),
    ("two_sites", Level.stop, green(kafka_cluster_id="kafka-blue")),
    ("logs_readable", Level.unknown, green(kafka_error="timed out")),
    ("logs_readable", Level.stop, blue(topics={})),
    ("one_topic_a_domain", Level.stop, blue(domains=["lab.test", "second.test"])),
    ("same_partitions", Level.stop, blue(topics={f"{HEX}-__orphans__": 64, f"{HEX}-lab.test": 32})),
    ("servers_mapped", Level.stop, facts(server_map={})),
    ("servers_mapped", Level.stop, facts(server_map={"bm-master": "10.0.0.1"})),
    ("versions_as_told", Level.stop, blue(version="4.9.0")),
    ("versions_as_told", Level.stop, green(version="5.2.0")),
    ("versions_as_told", Level.stop, facts(green_version="4.9")),
    ("bucket_readable", Level.unknown, facts(bodies=-1, bucket_error="403")),
    ("proxies_on_blue", Level.stop, facts(nodes=[NodeFacts("edge-1", "green", 0)])),
    ("proxies_on_blue", Level.stop, facts(nodes=[NodeFacts("edge-1", "blue", 1)])),
    ("proxies_on_blue", Level.unknown, facts(nodes=[NodeFacts("edge-1", "unknown", 0, "no socket")])),
    ("blue_can_be_stopped", Level.warn, facts(has_kick=False)),
    ("mode_supported", Level.stop, facts(mode="shared")),
]


@pytest.mark.parametrize(("guard", "level", "world"), WORLDS)
def test_guard_speaks(guard: str, level: Level, world: Facts) -> None:
    spoke = {finding.guard: finding for finding in examine(world)}
    assert spoke[guard].level is level
    assert spoke[guard].cause


def test_every_guard_has_a_world_in_which_it_speaks() -> None:
    assert {guard.__name__ for guard in GUARDS} == {guard for guard, _, _ in WORLDS}


def test_same_kafka_is_right_in_shared_mode() -> None:
    world = msgspec.structs.replace(green(kafka_cluster_id="kafka-blue"), mode="shared")
    assert {f.guard: f.level for f in examine(world)}["two_sites"] is Level.passed
