"""One world for each thing that can be wrong beforehand: facts in, the guard that speaks out."""

import msgspec
import pytest

from bmswitch.model.plan import Level
from bmswitch.model.preflight import GUARDS, ClockFacts, Facts, NodeFacts, SideFacts, examine

HEX = "0" * 32
TOLD = {"cleanup.policy": "compact", "min.insync.replicas": "2", "max.message.bytes": "5505024"}
LOG = f"{HEX}-lab.test"
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
        copies={f"{HEX}-__orphans__": 3, LOG: 3},
        settings={f"{HEX}-__orphans__": TOLD, LOG: TOLD},
    ),
    green=SideFacts(url="http://green:8090", core_error="no answer", kafka_cluster_id="kafka-green"),
    blue_version="5.0",
    green_version="5.1",
    server_map={"bm-master": "10.1.0.1"},
    mode="mirror",
    bodies=3,
    bucket_error="",
    nodes=[NodeFacts("edge-1", "blue", 0)],
    sysconf={"archive_kind": "s3", "sds_backup_rentention_days": "90"},
    sysconf_read=True,
    heartbeat_age=30.0,
    clocks=[
        ClockFacts("blue", 0.4),
        ClockFacts("green", None, "ConnectError"),
        ClockFacts("the bucket", -0.3),
    ],
    new_topic_bytes=5_505_024,
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
    ("servers_mapped", Level.unknown, blue(core_error="connection refused", servers={})),
    ("servers_mapped", Level.unknown, blue(state="CORE_STATE_DEMOTED", servers={})),
    ("one_topic_a_domain", Level.unknown, blue(core_error="connection refused", domains=[])),
    ("same_partitions", Level.unknown, blue(kafka_error="timed out", topics={})),
    ("versions_as_told", Level.unknown, blue(core_error="connection refused", version="")),
    ("servers_mapped", Level.stop, facts(server_map={"bm-master": "10.0.0.1"})),
    ("versions_as_told", Level.stop, blue(version="4.9.0")),
    ("versions_as_told", Level.stop, green(version="5.2.0")),
    ("versions_as_told", Level.stop, facts(green_version="4.9")),
    ("bucket_readable", Level.unknown, facts(bodies=-1, bucket_error="403")),
    ("proxies_on_blue", Level.stop, facts(nodes=[NodeFacts("edge-1", "green", 0)])),
    ("proxies_on_blue", Level.stop, facts(nodes=[NodeFacts("edge-1", "blue", 1)])),
    ("proxies_on_blue", Level.unknown, facts(nodes=[NodeFacts("edge-1", "unknown", 0, "no socket")])),
    ("blue_can_be_stopped", Level.warn, facts(has_kick=False)),
    ("ids_well_formed", Level.stop, blue(installation_id=f"{GOOD.blue.installation_id}\n")),
    ("ids_well_formed", Level.stop, green(installation_id="00000000-0000-0000-0000-000000000000")),
    ("ids_well_formed", Level.unknown, blue(kafka_error="timed out", installation_id="")),
    ("id_sequence_fresh", Level.stop, facts(heartbeat_age=None)),
    ("id_sequence_fresh", Level.stop, facts(heartbeat_age=121.0)),
    ("id_sequence_fresh", Level.unknown, facts(heartbeat_age=None, heartbeat_error="timed out")),
    ("log_settings", Level.stop, blue(settings={LOG: TOLD | {"cleanup.policy": "compact,delete"}})),
    ("log_settings", Level.stop, green(settings={LOG: TOLD | {"cleanup.policy": "delete"}})),
    (
        "log_settings",
        Level.stop,
        green(topics={LOG: 64}, settings={LOG: TOLD | {"max.message.bytes": "1048588"}}),
    ),
    ("log_settings", Level.stop, blue(settings={LOG: TOLD | {"max.message.bytes": "9000000"}})),
    ("log_settings", Level.warn, blue(settings={}, settings_error="this broker does not tell")),
    ("log_settings", Level.warn, green(settings_error="this broker does not tell")),
    ("log_copies", Level.warn, blue(copies={LOG: 1})),
    ("log_copies", Level.warn, blue(settings={LOG: TOLD | {"min.insync.replicas": "1"}})),
    ("log_copies", Level.warn, green(copies={LOG: 1})),
    ("log_copies", Level.warn, blue(copies={}, settings={}, kafka_error="timed out")),
    ("edge_apart", Level.warn, blue(edges=["bm-master"])),
    ("edge_apart", Level.unknown, blue(core_error="connection refused", servers={})),
    ("bodies_in_bucket", Level.stop, facts(sysconf={"archive_kind": "cyrus"})),
    ("bodies_in_bucket", Level.stop, facts(sysconf={})),
    ("bodies_in_bucket", Level.unknown, facts(sysconf={}, sysconf_read=False)),
    ("retention_long", Level.warn, facts(sysconf={"sds_backup_rentention_days": "0"})),
    ("retention_long", Level.warn, facts(sysconf={"sds_backup_rentention_days": "13"})),
    ("retention_long", Level.warn, facts(sysconf={"sds_backup_rentention_days": "a week"})),
    ("retention_long", Level.unknown, facts(sysconf={}, sysconf_read=False, sysconf_error="timed out")),
    ("clocks_agree", Level.stop, facts(clocks=[ClockFacts("blue", 6.0), ClockFacts("the bucket", -5.0)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", -2.5)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", None), ClockFacts("the bucket", 0.1)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", None, "ConnectError")])),
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


@pytest.mark.parametrize("kept", ["-1", "90", ""])
def test_bodies_that_stay_long_enough_pass(kept: str) -> None:
    world = facts(sysconf={"archive_kind": "scalityring", "sds_backup_rentention_days": kept})
    spoke = {f.guard: f.level for f in examine(world)}
    assert (spoke["retention_long"], spoke["bodies_in_bucket"]) == (Level.passed, Level.passed)


def test_topics_on_green_are_compared_under_green_s_own_id() -> None:
    other = "1" * 32
    small = {f"{other}-lab.test": TOLD | {"max.message.bytes": "1000"}}
    world = green(installation_id="bluemind-11111111-1111-1111-1111-111111111111", settings=small)
    assert {f.guard: f.level for f in examine(world)}["log_settings"] is Level.stop


def test_an_edge_that_is_not_mapped_is_not_this_guard_s_business() -> None:
    world = msgspec.structs.replace(blue(edges=["bm-edge"]))
    assert {f.guard: f.level for f in examine(world)}["edge_apart"] is Level.passed
