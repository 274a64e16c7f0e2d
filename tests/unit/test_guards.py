"""One world for each thing that can be wrong: facts in, the guard that speaks out."""

from pathlib import Path

import pytest
from tests.unit.guard_worlds import (
    AT_GATE,
    GOOD,
    HEX,
    KEYS,
    LOG,
    NOW,
    PROOF,
    SHARED,
    STATUS,
    SWITCH,
    TOLD,
    at_gate,
    behind,
    bucket,
    facts,
    front,
    gate,
    gate_sysconf,
    gate_target,
    machine,
    public,
    reached,
    replace,
    rights,
    shared,
    shared_target,
    source,
    sysconf,
    target,
)

from bmswitch.model import guards
from bmswitch.model.accepting import unavoidable
from bmswitch.model.decisions import Accepted
from bmswitch.model.guards import GUARDS, Facts, Guard, ask, refusals
from bmswitch.model.guards.facts import (
    RETENTION,
    BucketFacts,
    ClockFacts,
    KeyFacts,
    LinkFacts,
    MachineFacts,
    NodeFacts,
    ParkedFacts,
)
from bmswitch.model.plan import Level
from bmswitch.model.status import WorkerStatus
from bmswitch.workflows.facts.sysconf import harmless

DELETING = TOLD | {"cleanup.policy": "compact,delete", "retention.ms": "86400000"}
BY_NAME = {guard.name: guard for guard in GUARDS}
ACCEPTED = [
    *unavoidable("2026-01-01T00:00:00+00:00"),
    Accepted(name="calendar/main.summary", reason="edited on green", who="alice", at="", at_most=2),
]
FOLDER = Path(guards.__file__).parent

WORLDS = [
    ("source_serves", Level.stop, source(state="CORE_STATE_DEMOTED")),
    ("source_serves", Level.unknown, source(core_error="connection refused")),
    ("target_is_free", Level.stop, target(state="CORE_STATE_RUNNING", domains=["other.test"])),
    ("target_is_free", Level.stop, target(state="CORE_STATE_UPGRADE")),
    ("two_sites", Level.stop, target(url="http://blue:8090")),
    ("two_sites", Level.stop, target(kafka_cluster_id="kafka-blue")),
    ("logs_readable", Level.unknown, target(kafka_error="timed out")),
    ("logs_readable", Level.stop, source(topics={})),
    ("one_topic_a_domain", Level.stop, source(domains=["lab.test", "second.test"])),
    ("same_partitions", Level.stop, source(topics={f"{HEX}-__orphans__": 64, f"{HEX}-lab.test": 32})),
    ("servers_mapped", Level.stop, facts(server_map={})),
    ("servers_mapped", Level.unknown, source(core_error="connection refused", servers={})),
    ("servers_mapped", Level.unknown, source(state="CORE_STATE_DEMOTED", servers={})),
    ("one_topic_a_domain", Level.unknown, source(core_error="connection refused", domains=[])),
    ("same_partitions", Level.unknown, source(kafka_error="timed out", topics={})),
    ("versions_as_told", Level.unknown, source(core_error="connection refused", version="")),
    ("servers_mapped", Level.stop, facts(server_map={"bm-master": "10.0.0.1"})),
    ("versions_as_told", Level.stop, source(version="4.9.0")),
    ("versions_as_told", Level.stop, target(version="5.2.0")),
    ("versions_as_told", Level.stop, target(wanted_version="4.9")),
    ("bucket_readable", Level.unknown, bucket(bodies=-1, error="403")),
    ("proxies_on_source", Level.stop, facts(nodes=[NodeFacts("edge-1", "green", 0)])),
    ("proxies_on_source", Level.stop, facts(nodes=[NodeFacts("edge-1", "blue", int(NOW * 1000) + 500)])),
    ("proxies_on_source", Level.unknown, facts(nodes=[NodeFacts("edge-1", "unknown", 0, "no socket")])),
    ("source_can_be_stopped", Level.warn, facts(missing_commands=["kick"])),
    ("ids_well_formed", Level.stop, source(installation_id=f"{GOOD.source.installation_id}\n")),
    ("ids_well_formed", Level.stop, target(installation_id="00000000-0000-0000-0000-000000000000")),
    ("ids_well_formed", Level.unknown, source(kafka_error="timed out", installation_id="")),
    ("id_sequence_fresh", Level.stop, facts(heartbeat_age=None)),
    ("id_sequence_fresh", Level.stop, facts(heartbeat_age=121.0)),
    ("id_sequence_fresh", Level.unknown, facts(heartbeat_age=None, heartbeat_error="timed out")),
    ("log_settings", Level.stop, source(settings={LOG: TOLD | {"cleanup.policy": "compact,delete"}})),
    ("log_settings", Level.stop, target(settings={LOG: TOLD | {"cleanup.policy": "delete"}})),
    (
        "log_settings",
        Level.stop,
        target(topics={LOG: 64}, settings={LOG: TOLD | {"max.message.bytes": "1048588"}}),
    ),
    ("log_settings", Level.stop, source(settings={LOG: TOLD | {"max.message.bytes": "9000000"}})),
    ("log_settings", Level.unknown, source(settings={}, settings_error="authorization failed")),
    ("log_settings", Level.unknown, target(settings_error="timed out")),
    ("log_settings", Level.warn, source(settings={}, settings_error="never tells", tells_settings=False)),
    ("deleted_by_one", Level.warn, facts(same_bucket_keys=None)),
    ("deleted_by_one", Level.warn, facts(same_bucket_keys=True)),
    (
        "deleted_by_one",
        Level.stop,
        facts(same_bucket_keys=True, missing_rights=["the bucket"], missing_commands=["stop"]),
    ),
    (
        "deleted_by_one",
        Level.warn,
        replace(sysconf(sds_s3_access_key="digest:9"), same_bucket_keys=None),
    ),
    ("two_sites", Level.stop, target(servers=GOOD.source.servers)),
    ("one_topic_a_domain", Level.stop, gate_target(topics={f"{HEX}-other.test": 64})),
    ("log_copies", Level.warn, source(copies={LOG: 1})),
    ("log_copies", Level.warn, source(settings={LOG: TOLD | {"min.insync.replicas": "1"}})),
    ("log_copies", Level.warn, target(copies={LOG: 1})),
    ("log_copies", Level.warn, source(copies={}, settings={}, kafka_error="timed out")),
    ("edge_apart", Level.warn, source(edges=["bm-master"])),
    ("edge_apart", Level.unknown, source(core_error="connection refused", servers={})),
    ("bodies_in_bucket", Level.stop, source(sysconf={"archive_kind": "cyrus"})),
    ("bodies_in_bucket", Level.stop, source(sysconf={})),
    ("version_proven", Level.stop, target(wanted_version="5.2")),
    ("version_proven", Level.stop, source(wanted_version="4.9")),
    (
        "version_proven",
        Level.stop,
        replace(source(wanted_version="5.1"), target=replace(GOOD.target, wanted_version="5.0")),
    ),
    ("bodies_in_bucket", Level.unknown, source(sysconf=None)),
    ("retention_long", Level.warn, source(sysconf={"sds_backup_rentention_days": "0"})),
    ("retention_long", Level.warn, source(sysconf={"sds_backup_rentention_days": "13"})),
    ("retention_long", Level.warn, source(sysconf={"sds_backup_rentention_days": "a week"})),
    ("retention_long", Level.unknown, source(sysconf=None, sysconf_error="timed out")),
    ("clocks_agree", Level.stop, facts(clocks=[ClockFacts("blue", 6.0), ClockFacts("the bucket", -5.0)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", -2.5)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", None), ClockFacts("the bucket", 0.1)])),
    ("clocks_agree", Level.warn, facts(clocks=[ClockFacts("blue", None, "ConnectError")])),
    ("two_sites", Level.stop, facts(mode="shared")),
    ("log_for_both", Level.stop, shared(topics={LOG: 64})),
    ("log_for_both", Level.stop, replace(SHARED, sequence_gaps=["bm-mail2"])),
    ("log_for_both", Level.stop, shared_target(installation_id="bluemind-1")),
    ("log_for_both", Level.unknown, replace(SHARED, sequence_error="timed out")),
    ("clone_can_not_write", Level.warn, SHARED),
    ("clone_can_not_write", Level.stop, rights(source="User:bm", target="User:bm", target_way=True)),
    ("clone_can_not_write", Level.stop, rights(source="User:*")),
    ("clone_can_not_write", Level.stop, rights(target="User:g", target_way=True, target_allowed=False)),
    ("clone_can_not_write", Level.unknown, rights(target="User:g", target_way=True, error="timed out")),
    (
        "clone_can_not_write",
        Level.stop,
        replace(rights(target="User:g", target_way=True, target_denied=False), switch=SWITCH),
    ),
    ("version_proven", Level.stop, shared(wanted_version="5.1")),
    ("types_known", Level.warn, replace(AT_GATE, mode="shared")),
    (
        "retention_long",
        Level.warn,
        replace(AT_GATE, target=replace(AT_GATE.target, sysconf={RETENTION: "1"})),
    ),
    ("versions_as_told", Level.stop, gate_target(version="5.10.2")),
    ("versions_as_told", Level.unknown, gate_target(version="", core_error="no answer")),
    ("target_is_a_clone", Level.stop, gate_target(state="CORE_STATE_RUNNING")),
    ("target_is_a_clone", Level.unknown, gate_target(state="", core_error="no answer")),
    ("log_outlives_copy", Level.stop, source(gone={LOG: 3})),
    (
        "log_outlives_copy",
        Level.stop,
        source(settings={LOG: DELETING}, oldest={LOG: 86_400.0 - 1.5}, records={LOG: 10_000}),
    ),
    (
        "log_outlives_copy",
        Level.stop,
        gate(status=replace(STATUS, lag_records=9, left_seconds=40.0, log_life_seconds=79.0)),
    ),
    ("log_outlives_copy", Level.stop, gate(status=replace(STATUS, lag_records=20_000, log_life_seconds=3.9))),
    ("proof", Level.stop, gate(proof=replace(PROOF, names={"org-unit-own-id": 1}))),
    (
        "proof",
        Level.stop,
        gate(proof=replace(PROOF, names={"org-unit-own-id": 1, "notes/subject": 1}), accepted=ACCEPTED),
    ),
    ("proof", Level.stop, gate(proof=replace(PROOF, names={"calendar/main.summary": 3}), accepted=ACCEPTED)),
    (
        "proof",
        Level.stop,
        gate(
            proof=replace(PROOF, names={"org-unit-own-id": 9}, unsettled=1, verdict="unknown"),
            accepted=ACCEPTED,
        ),
    ),
    ("proof", Level.stop, gate(proof=replace(PROOF, names={}, differences=1, verdict="different"))),
    ("replicate_runs", Level.unknown, gate(status=None)),
    ("replicate_runs", Level.stop, gate(status=replace(STATUS, updated_at=NOW - 60))),
    ("replicate_runs", Level.stop, gate(status=replace(STATUS, plan_id="p0"))),
    ("replicate_runs", Level.stop, gate(status=replace(STATUS, held="paused: night"))),
    (
        "replicate_runs",
        Level.stop,
        gate(status=replace(STATUS, workers=[WorkerStatus(name="a-1", host="a", pid=1, at=NOW - 6)])),
    ),
    ("replicate_runs", Level.stop, gate(status=replace(STATUS, rate_limit=999.0))),
    ("caught_up", Level.unknown, gate(status=None)),
    ("caught_up", Level.stop, gate(status=replace(STATUS, phase="copying"))),
    ("lag", Level.unknown, gate(status=None)),
    ("lag", Level.stop, gate(status=replace(STATUS, lag_seconds=2.5))),
    ("types_known", Level.warn, gate(unknown_types={"holograms a.B": 3})),
    ("quarantine", Level.unknown, gate(status=None)),
    ("quarantine", Level.stop, gate(parked=[ParkedFacts(1, "why", "parked")])),
    ("quarantine", Level.unknown, gate(status=replace(STATUS, quarantined=1))),
    ("quarantine", Level.unknown, gate(parked_error="damaged")),
    ("orphans", Level.stop, gate(orphans=["CREATE of domains x"])),
    ("orphans", Level.unknown, gate(orphans_error="no answer")),
    ("proof", Level.unknown, gate(proof=None)),
    ("proof", Level.stop, gate(proof=replace(PROOF, plan_id="p0"))),
    ("proof", Level.stop, gate(proof=replace(PROOF, verdict="different"))),
    ("proof", Level.stop, gate(proof=replace(PROOF, verdict="unknown"))),
    ("frontends", Level.stop, gate(frontend_faults=["n1 imap: refused"])),
    ("disk", Level.stop, gate(free_bytes=1000)),
    ("source_can_be_fenced", Level.warn, facts(missing_rights=["the bucket"])),
    ("source_can_be_fenced", Level.stop, facts(unproven_policy=True)),
    ("keys_can_write", Level.warn, gate(keys=KEYS[:1])),
    ("keys_can_write", Level.stop, gate(keys=[KEYS[0], KeyFacts(colour="green")])),
    ("keys_can_write", Level.stop, gate(keys=[KeyFacts(colour="blue"), KEYS[1]])),
    ("keys_can_write", Level.unknown, gate(keys=[KeyFacts(colour="green", error="timed out")])),
    ("keys_can_write", Level.stop, gate(keys=[replace(key, same_as_other=True) for key in KEYS])),
    ("log_copies", Level.warn, source(nodes_topic=1)),
    ("log_copies", Level.warn, facts(new_topic_copies=1)),
    ("log_closed", Level.warn, source(protocol="SASL_PLAINTEXT")),
    ("log_closed", Level.warn, target(protocol="")),
    ("schema_upgraded", Level.stop, source(needs_upgrade=True)),
    ("schema_upgraded", Level.stop, gate_target(needs_upgrade=True)),
    ("same_installation_id", Level.warn, target(installation_id="bluemind-1")),
    ("no_lost_records", Level.stop, machine(lost=2)),
    ("no_lost_records", Level.warn, machine(lost=-1, error="no such file")),
    ("no_lost_records", Level.warn, machine(lost=None)),
    ("no_lost_records", Level.warn, facts(machines=[])),
    ("mail_queue_empty", Level.warn, machine(queued=3)),
    ("mail_queue_empty", Level.warn, machine(queued=-1, error="postqueue: not found")),
    ("mail_queue_empty", Level.warn, facts(machines=[])),
    ("no_job_due", Level.warn, source(jobs={"LdapImport": int((NOW + 300) * 1000)})),
    ("no_job_due", Level.warn, source(jobs_error="no answer")),
    ("compaction_waits", Level.warn, source(settings={LOG: TOLD | {"max.compaction.lag.ms": "60000"}})),
    ("compaction_waits", Level.warn, gate(status=replace(STATUS, first_pass_seconds=7200.0))),
    ("compaction_waits", Level.warn, source(settings={})),
    ("offsets_kept", Level.warn, source(broker={"offsets.retention.minutes": "1440"})),
    ("offsets_kept", Level.warn, source(broker={})),
    ("clone_readers_stable", Level.warn, gate_target(readers={"clone-x-of-y": "PREPARING_REBALANCING"})),
    ("clone_readers_stable", Level.warn, gate_target(readers={}, readers_error="not told")),
    ("bucket_of_the_source", Level.stop, sysconf(sds_s3_bucket="other")),
    ("bucket_of_the_source", Level.warn, sysconf(sds_s3_endpoint="https://s3.elsewhere.test")),
    ("bucket_of_the_source", Level.unknown, source(sysconf=None)),
    ("bucket_versioned", Level.warn, bucket(versioning="Off")),
    ("bucket_versioned", Level.warn, bucket(versioning="", settings_error="not told")),
    ("bucket_versioned", Level.warn, bucket(keeps_deleted_days=3)),
    ("bucket_versioned", Level.warn, bucket(expires=["rule x: after 30 days"])),
    ("documents_in_bucket", Level.warn, sysconf(sds_filehosting_storetype="")),
    ("documents_in_bucket", Level.unknown, source(sysconf=None)),
    ("documents_apart", Level.warn, facts(override={})),
    ("documents_apart", Level.warn, gate_sysconf(sds_filehosting_s3_bucket="documents")),
    ("documents_apart", Level.unknown, source(sysconf=None)),
    ("documents_kept", Level.warn, at_gate(bucket=replace(GOOD.bucket, documents_before=3))),
    ("documents_kept", Level.stop, at_gate(bucket=replace(GOOD.bucket, documents_before=13))),
    ("documents_kept", Level.unknown, at_gate(bucket=BucketFacts(error="no answer"))),
    ("settings_of_its_own_host", Level.warn, facts(override={"host": "10.1.0.1"})),
    ("settings_of_its_own_host", Level.warn, gate_sysconf(host="10.0.0.1")),
    ("settings_of_its_own_host", Level.unknown, source(sysconf=None)),
    ("settings_equal", Level.warn, gate_sysconf(message_size_limit="1")),
    ("settings_equal", Level.unknown, gate_target(sysconf=None)),
    ("same_public_address", Level.warn, facts(override={"external_url": "green.lab.test"})),
    ("same_public_address", Level.warn, gate_sysconf(external_url="green.lab.test")),
    ("same_public_address", Level.unknown, source(sysconf=None)),
    ("public_name_at_proxies", Level.stop, public(addresses=["10.0.0.1"])),
    ("public_name_at_proxies", Level.warn, public(addresses=["10.9.0.2"])),
    ("public_name_at_proxies", Level.warn, public(addresses=[], error="Name or service not known")),
    ("public_name_at_proxies", Level.warn, public(host="", addresses=[])),
    ("public_name_at_proxies", Level.warn, public(proxies=[])),
    ("public_links_work", Level.stop, facts(links=[LinkFacts("https://mail.lab.test/fh/1", 404)])),
    ("public_links_work", Level.warn, facts(links=[])),
    ("certificates_good", Level.stop, facts(certificates=[front(verified="certificate has expired")])),
    ("certificates_good", Level.warn, facts(certificates=[front(until=NOW + 86400)])),
    ("certificates_good", Level.warn, facts(certificates=[front(), front(fingerprint="bb")])),
    ("certificates_alike", Level.warn, at_gate(certificates=[behind("blue")])),
    (
        "certificates_alike",
        Level.warn,
        at_gate(certificates=[behind("blue"), behind("green", fingerprint="b")]),
    ),
    ("mail_ports_closed", Level.warn, facts(open_ports=reached("green", 2400))),
    ("cluster_ports_closed", Level.warn, facts(open_ports=reached("green", 5701) + reached("blue", 5702))),
    ("fresh_bodies_there", Level.stop, gate(fresh_bodies=4, fresh_missing=["ab"])),
    ("fresh_bodies_there", Level.unknown, gate(fresh_error="no answer")),
    ("search_complete", Level.warn, gate_target(documents=900)),
    ("search_complete", Level.warn, gate_target(documents=-1, documents_error="no route")),
]


def test_a_proof_with_nothing_but_accepted_differences_passes_and_says_whose_they_are() -> None:
    names = {"org-unit-own-id": 9, "calendar/main.summary": 2}
    found = replace(PROOF, verdict="different", differences=2, names=names)
    said = BY_NAME["proof"](gate(proof=found, accepted=ACCEPTED))
    assert said.level is Level.passed
    assert "2 calendar/main.summary by alice" in said.evidence
    assert BY_NAME["proof"](gate(proof=replace(PROOF, names={}))).cause == "the last proof says equal"


@pytest.mark.parametrize(("name", "level", "world"), WORLDS)
def test_guard_speaks(name: str, level: Level, world: Facts) -> None:
    spoke = BY_NAME[name](world)
    assert (spoke.guard, spoke.level) == (name, level)
    assert spoke.cause


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_has_a_world_in_which_it_speaks_and_passes_a_good_one(guard: Guard) -> None:
    assert guard.name in {name for name, _, _ in WORLDS}
    for moment, world in (("plan", GOOD), ("gate", AT_GATE)):
        if moment in guard.asked:
            assert guard(world).level is Level.passed


def test_all_of_a_moment_are_asked_in_order() -> None:
    assert [f.guard for f in ask(GOOD, "plan")] == [g.name for g in GUARDS if "plan" in g.asked]
    assert [f.guard for f in ask(AT_GATE, "gate")] == [g.name for g in GUARDS if "gate" in g.asked]


def test_one_guard_is_one_file_with_one_sentence() -> None:
    files = {file.stem for file in FOLDER.glob("[a-z]*.py")} - {
        "answers",
        "catalogue",
        "facts",
        "guard",
        "settings",
        "skipping",
    }
    assert files == set(BY_NAME)
    assert all(guard.says.endswith(".") for guard in GUARDS)


def test_ports_of_one_side_alone_are_no_danger_of_one_cluster() -> None:
    assert BY_NAME["cluster_ports_closed"](facts(open_ports=reached("blue", 5701))).level is Level.passed
    assert BY_NAME["mail_ports_closed"](facts(open_ports=reached("blue", 25))).level is Level.passed


def test_a_log_that_keeps_its_records_long_enough_or_for_ever_outlives_the_copy() -> None:
    long = source(settings={LOG: DELETING}, oldest={LOG: 80_000.0}, records={LOG: 10_000})
    assert BY_NAME["log_outlives_copy"](long).level is Level.passed
    kept = source(settings={LOG: TOLD | {"retention.ms": "1"}}, records={LOG: 10**9})
    assert BY_NAME["log_outlives_copy"](kept).level is Level.passed
    slow = replace(long, rate=1.0)
    said = BY_NAME["log_outlives_copy"](slow)
    assert (said.level, said.evidence[:67]) == (
        Level.stop,
        "it keeps them for 6400 s more, the catch-up takes 10000 s: twice th",
    )


def test_a_shared_log_is_refused_with_what_a_clone_would_miss_in_it() -> None:
    said = BY_NAME["two_sites"](facts(mode="shared"))
    assert said.cause == "green.kafka is another Kafka cluster than blue's, and replication.mode is shared"
    said = BY_NAME["log_for_both"](shared(topics={LOG: 64}))
    assert "there is no topic of directory entries" in said.evidence
    assert "replication.mode: mirror" in said.command


def test_a_shared_log_with_all_that_a_clone_needs_passes_and_its_writer_is_known() -> None:
    assert BY_NAME["log_for_both"](SHARED).level is Level.passed
    assert BY_NAME["version_proven"](SHARED).level is Level.passed
    known = rights(source="User:b", target="User:g", target_way=True, target_denied=True, target_allowed=True)
    for moment in (known, replace(known, switch=SWITCH)):
        assert BY_NAME["clone_can_not_write"](moment).level is Level.passed
    by_command = rights(target_way=True)
    assert BY_NAME["clone_can_not_write"](by_command).level is Level.passed


def test_settings_that_are_secret_are_named_and_never_shown() -> None:
    told = harmless({"sds_s3_secret_key": "Vj2kq9", "sds_s3_bucket": "bluemind", "empty": ""})
    assert "Vj2kq9" not in str(told)
    assert (told["sds_s3_bucket"], told["empty"]) == ("bluemind", "")
    assert told["sds_s3_secret_key"] == harmless({"x": "Vj2kq9"})["x"]


def test_guards_speak_of_real_colours_in_both_directions() -> None:
    back = facts(
        source=replace(GOOD.source, colour="green", core_error="x"),
        target=replace(GOOD.target, colour="blue", kafka_error="y"),
        nodes=[NodeFacts("edge-1", "green", 0)],
    )
    assert BY_NAME["version_proven"](back).level is Level.passed
    assert BY_NAME["source_serves"](back).cause == "green's core can not be read"
    assert BY_NAME["logs_readable"](back).cause == "blue's Kafka can not be read"
    assert BY_NAME["proxies_on_source"](back).cause == "1 node(s) on green, nothing held"


def test_a_warning_lets_go_on_and_unknown_does_not() -> None:
    assert refusals(ask(replace(AT_GATE, missing_commands=["stop"]), "gate")) == []
    broken = replace(AT_GATE, bucket=BucketFacts(error="x"))
    assert [f.guard for f in refusals(ask(broken, "gate"))] == ["bucket_readable", "documents_kept"]


def test_same_kafka_is_right_in_shared_mode() -> None:
    assert BY_NAME["two_sites"](SHARED).level is Level.passed


@pytest.mark.parametrize("kept", ["-1", "90", ""])
def test_bodies_that_stay_long_enough_pass(kept: str) -> None:
    world = source(sysconf={"archive_kind": "scalityring", "sds_backup_rentention_days": kept})
    assert BY_NAME["retention_long"](world).level is Level.passed
    assert BY_NAME["bodies_in_bucket"](world).level is Level.passed


def test_topics_on_the_target_are_compared_under_its_own_id() -> None:
    other = "1" * 32
    small = {f"{other}-lab.test": TOLD | {"max.message.bytes": "1000"}}
    world = target(installation_id="bluemind-11111111-1111-1111-1111-111111111111", settings=small)
    assert BY_NAME["log_settings"](world).level is Level.stop


def test_an_edge_that_is_not_mapped_is_not_this_guard_s_business() -> None:
    assert BY_NAME["edge_apart"](source(edges=["bm-edge"])).level is Level.passed


@pytest.mark.parametrize("name", ["no_lost_records", "mail_queue_empty"])
def test_a_machine_that_does_not_tell_is_named_although_another_one_does(name: str) -> None:
    machines = [
        MachineFacts(colour="blue", uid="core", lost=0, queued=0),
        MachineFacts(colour="blue", uid="edge", lost=-1, queued=-1, error="refused"),
        MachineFacts(colour="blue", uid="other-role"),
    ]
    found = BY_NAME[name].look(facts(machines=machines))
    assert (found.level, found.evidence) == (Level.warn, "edge: refused")


def test_one_log_of_both_sides_is_told_of_once() -> None:
    single = replace(
        SHARED, source=replace(SHARED.source, copies={LOG: 1}), target=replace(SHARED.target, copies={LOG: 1})
    )
    assert (
        BY_NAME["log_copies"](replace(single, new_topic_copies=0)).evidence
        == "blue: 1 of 1 topics have one copy"
    )
