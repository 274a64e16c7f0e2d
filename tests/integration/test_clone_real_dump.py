"""A real log, restored: the store holds what an independent fold of the same files says, each exception named."""

import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from minio import Minio
from tests.integration.clone_kit import (
    DOMAIN,
    DUMP,
    IID,
    SIDE_TYPES,
    Facts,
    Lab,
    Line,
    Running,
    create,
    differences,
    held,
    in_a_clone,
    placeholders,
    read_lines,
    until,
    write_lines,
)
from tests.integration.naive_fold import Folded, fold
from tests.integration.parts import BucketServer

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.loadlog import load_log, read_objects
from bmswitch.lab.restore.bootstrap import bootstrap
from bmswitch.lab.site import S3
from bmswitch.lab.store import Store
from bmswitch.model import topics

pytestmark = pytest.mark.skipif(not DUMP.is_dir(), reason="no real log: set BMSWITCH_REAL_LOG")

ITEM_TYPES = (
    "container_flat_hierarchy", "owner_subscriptions", "replicated_mailboxes", "mailbox_records", "addressbook",
    "calendarview", "webappdata",
)  # fmt: skip
TOPIC = topics.domain(IID, DOMAIN)


@pytest.fixture
def lab(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> Lab:
    return Lab(embedded_kafka, tmp_path / "green")


# ---- what the store holds, and what the fold says it must hold


def expected(folded: Folded) -> Facts:
    """The fold in the same terms, with the exceptions that hold for every restore."""
    facts: Facts = {}
    for kind, name in (
        *((kind, kind) for kind in ITEM_TYPES), ("dir:DirEntryAndValue", "dir"),
        ("domains:Domain", "domains"), ("installation:Server", "installation"),
    ):  # fmt: skip
        for container, uid, record in folded.leaves(kind):
            facts[name, container, uid] = [record["key"]["id"], record["value"]["value"]]
    for kind in SIDE_TYPES:
        for _, uid, record in folded.leaves(kind):
            facts[kind, record["key"]["owner"], uid] = record["value"]["value"]
    for kind, name in (("dir:UserSettings", "user_settings"), ("domains:DomainSettings", "domain_settings")):
        for _, uid, record in folded.leaves(kind):
            facts[name, uid, uid] = record["value"]["value"]
    for kind in ("sysconf", "job_plans"):
        for _, uid, record in folded.leaves(kind):
            facts[kind, "system", uid] = record["value"]["value"]
    containers(folded, facts)
    for rule in (memberships_that_ended, passwords_are_kept_apart, leftovers_of_deleted_entries):
        rule(folded, facts)
    return facts


def containers(folded: Folded, facts: Facts) -> None:
    for _, uid, record in folded.leaves("containers_meta"):
        meta = record["value"]["value"]
        described = meta["contDesc"]
        acl = sorted((ace["subject"], ace["verb"]) for ace in meta["acls"])
        facts["container", described["type"], uid] = [described["owner"], acl, meta["settings"]]
    announced_by_nothing = (
        ("dir", DOMAIN, "system"), ("dir", "global.virt", "system"), ("installation", IID, "system"),
        ("domains", f"domains_{IID}", "system"),
    )  # fmt: skip
    for kind, uid, owner in announced_by_nothing:
        facts["container", kind, uid] = [owner, [], {}]
    for kind in (
        "container_flat_hierarchy",
        "addressbook",
    ):  # made on the spot; the book's only card went again
        for uid in folded.live[kind]:
            facts.setdefault(("container", kind, uid), [folded.owners[uid], [], {}])
    for kind, _, uid in folded.gone:  # a removed folder takes its mails along
        if kind == "replicated_mailboxes":
            facts.pop(("container", "mailbox_records", f"mbox_records_{uid}"), None)


def memberships_that_ended(_: Folded, facts: Facts) -> None:
    for key in [key for key, value in facts.items() if key[0] == "memberships"]:
        value = facts.pop(key)
        if value["added"]:
            facts[key] = value["member"]


def passwords_are_kept_apart(_: Folded, facts: Facts) -> None:
    for key, value in facts.items():
        if key[0] == "dir" and "password" in value[1]["value"]:
            value[1]["value"]["password"] = None


def leftovers_of_deleted_entries(folded: Folded, facts: Facts) -> None:
    """What a deleted entry owned has no DELETE of its own in the log (change-log.md 3.5)."""
    owners = {uid for kind, _, uid in folded.gone if kind == "dir"}
    owned = {key[2] for key, value in facts.items() if key[0] == "container" and value[0] in owners}
    for key in [
        key for key in facts if key[1] in owners | owned or (key[0] == "container" and key[2] in owned)
    ]:
        del facts[key]


# ---- the tests


def test_the_log_is_loaded_record_by_record_into_its_partitions(lab: Lab) -> None:
    loaded = lab.load()
    assert loaded.records == {topics.orphans(IID): 167, TOPIC: 2688}
    consumer = Consumer({"bootstrap.servers": lab.kafka.bootstrap, "group.id": "count", "log_level": 0})
    ends = [consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=5)[1] for p in range(64)]
    consumer.close()
    in_dump = [line["partition"] for line in read_lines(DOMAIN)]
    assert ends == [in_dump.count(p) for p in range(64)]


def test_a_bootstrap_equals_the_fold(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    restored = bootstrap(lab.site, store)
    wanted = expected(fold(DUMP))
    wanted["installation", IID, "bm-master"][1]["ip"] = lab.site.address
    assert differences(held(store), wanted) == []
    assert sum(restored.records.values()) == 2855
    assert store.id_sequence() >= store.highest_item_id() == 1671
    assert store.password(DOMAIN, "cli-created-d095c2ea-2d5f-31c0-9224-30b8143818c1")


def test_a_bootstrap_twice_changes_nothing(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    bootstrap(lab.site, store)
    first = held(store)
    bootstrap(lab.site, store)
    assert differences(held(store), first) == []


def test_a_clone_equals_the_fold_but_for_what_bluemind_does_not_keep(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    invented = placeholders(lab.log)
    assert invented, "org units in other partitions are met before their parents"
    outcome = running.promote()
    assert (outcome.state, outcome.end_cloning, running.task.failed_domains) == ("Success", True, [])
    wanted = expected(fold(DUMP))
    assert differences(in_a_clone(held(store), invented), in_a_clone(wanted, invented)) == []
    assert store.id_sequence() >= 1_001_671
    assert not (lab.folder / "data" / "actions.log").exists()


def test_uidvalidity_of_folders_with_only_a_create_record_is_greens(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    Running(lab, store).caught_up().promote()
    folded = fold(DUMP)
    updated = {
        uid for _, uid, r in folded.leaves("replicated_mailboxes") if r["key"]["operation"] == "UPDATE"
    }
    for container in store.containers(type="replicated_mailboxes"):
        for item in store.items(container.uid):
            blue = folded.live["replicated_mailboxes"][container.uid][item.uid]["value"]["value"][
                "uidValidity"
            ]
            records = store.container(f"mbox_records_{item.uid}")
            assert records is not None
            wanted = blue if item.uid in updated else records.id
            assert json.loads(item.value)["uidValidity"] == wanted


def test_a_log_that_ends_with_deletes_leaves_what_the_fold_leaves(lab: Lab, tmp_path: Path) -> None:
    dump = write_with_deletes(tmp_path / "dump", keep=lambda _: True)
    lab.load(dump)
    store = Store(":memory:")
    bootstrap(lab.site, store)
    wanted = expected(fold(dump))
    wanted["installation", IID, "bm-master"][1]["ip"] = lab.site.address
    assert differences(held(store), wanted) == []
    assert not [
        key for key in held(store) if key[0] in {"owner_subscriptions", "mailbox_records", "webappdata"}
    ]


def test_in_a_clone_of_it_only_hierarchy_nodes_stay(lab: Lab, tmp_path: Path) -> None:
    dump = write_with_deletes(tmp_path / "dump", keep=lambda _: True)
    lab.load(dump)
    store = Store(":memory:")
    Running(lab, store).caught_up().promote()
    folded, invented = fold(dump), placeholders(lab.log)
    actual = in_a_clone(held(store), invented)
    stayed = {key for key in actual if key[0] == "container_flat_hierarchy"}
    assert {(key[1], key[2]) for key in stayed} == {
        (container, uid) for kind, container, uid in folded.gone if kind == "container_flat_hierarchy" and "F3859C23" not in container
    }  # fmt: skip
    rest = {key: value for key, value in actual.items() if key not in stayed}
    assert differences(rest, in_a_clone(expected(folded), invented)) == []


def test_a_compacted_log_of_deletes_alone_restores_nothing_and_fails_nowhere(
    lab: Lab, tmp_path: Path
) -> None:
    dump = write_with_deletes(tmp_path / "dump", keep=lambda line: line["key"]["type"] not in ITEM_TYPES)
    lab.load(dump)
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    assert running.promote().state == "Success"
    assert running.task.failed_domains == []
    assert not [key for key in held(store) if key[0] in ITEM_TYPES]


def write_with_deletes(folder: Path, keep: Callable[[Line], bool]) -> Path:
    """The dump's `keep` records, then a deletion of every item still alive, as the log has it since March 2023."""
    folder.mkdir()
    write_lines(folder, "orphans", read_lines("orphans"))
    lines = read_lines(DOMAIN)
    ends: dict[int, int] = {}
    for line in lines:
        ends[line["partition"]] = max(ends.get(line["partition"], 0), line["offset"] + 1)
    places = {json.dumps(line["key"]["owner"]): line["partition"] for line in lines}
    extra: list[Line] = []
    folded = fold(DUMP)
    for kind in ITEM_TYPES:
        for _, uid, record in folded.leaves(kind):
            partition = places[json.dumps(record["key"]["owner"])]
            for operation, value in (("DELETE", {"uid": uid}), ("UPDATE", None), ("CREATE", None)):
                key = record["key"] | {"operation": operation}
                extra.append({"key": key, "partition": partition, "offset": ends[partition], "value": value})
                ends[partition] += 1
    write_lines(folder, DOMAIN, [*(line for line in lines if keep(line)), *extra])
    return folder


def test_a_second_clone_over_the_same_store_fails_silently_as_documented(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    Running(lab, store).caught_up().promote()
    (lab.folder / "etc" / "clone.state.json").unlink()
    again = Running(lab, store)
    outcome = again.ended()
    assert (outcome.state, outcome.end_cloning) == ("Success", True)
    assert again.task.failed_domains == [TOPIC]
    assert any("no body store" in line for line in lab.log)


def test_the_tail_applies_single_records_without_waiting_for_others(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    line = next(line for line in read_lines(DOMAIN) if line["key"]["type"] == "webappdata")
    for number in range(20):
        uid = f"probe-{number}"
        changed = line | {"value": line["value"] | {"uid": uid}, "key": line["key"] | {"id": 5_000 + number}}
        lab.produce(TOPIC, [changed])
        until(lambda uid=uid: store.item_id(line["key"]["uid"], uid) is not None, uid)  # type: ignore[misc]
    running.promote()
    assert store.item_id(line["key"]["uid"], "probe-19") is not None


def test_commits_stop_after_catch_up_and_a_resumed_run_replays_from_there(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    token = json.loads((lab.folder / "etc" / "clone.state.json").read_text())[TOPIC]
    line = next(line for line in read_lines(DOMAIN) if line["key"]["type"] == "webappdata")
    before = committed(lab, token["group"], line["partition"])
    lab.produce(TOPIC, [line | {"value": line["value"] | {"uid": "late"}}])
    until(lambda: store.item_id(line["key"]["uid"], "late") is not None, "late")
    assert committed(lab, token["group"], line["partition"]) == before
    running.task.stop()
    assert running.ended().state == "Success"
    end = running.task.positions[TOPIC][line["partition"]]
    assert committed(lab, token["group"], line["partition"]) == end
    lab.produce(TOPIC, [line | {"value": line["value"] | {"uid": "later"}}])
    resumed = Running(lab, store)
    until(lambda: store.item_id(line["key"]["uid"], "later") is not None, "later")
    assert resumed.promote().state == "Success"
    assert resumed.task.failed_domains == []
    assert f"prevState for {TOPIC} => {token['group']}" in lab.log


def committed(lab: Lab, group: str, partition: int) -> int:
    consumer = Consumer({"bootstrap.servers": lab.kafka.bootstrap, "group.id": group, "log_level": 0})
    found = consumer.committed([TopicPartition(TOPIC, partition)], timeout=5)
    consumer.close()
    return int(found[0].offset)


def test_a_failing_domain_is_reported_as_success(lab: Lab) -> None:
    lab.defects = ["task-success-though-domain-failed"]
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store)
    outcome = running.ended()
    assert (outcome.state, outcome.end_cloning) == ("Success", True)
    assert running.task.failed_domains == [TOPIC]
    assert sum(running.task.positions[TOPIC].values()) == 2688 // 2
    assert any("op:failure" in line for line in lab.log)


def test_a_poisonous_record_ends_the_domain_and_a_vanished_owners_does_not(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    line = next(line for line in read_lines(DOMAIN) if line["key"]["type"] == "mailfilters")
    ghost = line | {"key": line["key"] | {"owner": "ghost"}, "value": line["value"] | {"uid": "ghost"}}
    lab.produce(TOPIC, [ghost])
    until(lambda: any("owner of ghost is not known" in text for text in lab.log), "the ghost's record")
    lab.produce(TOPIC, [line | {"value": line["value"] | {"uid": "nobody"}}])
    outcome = running.ended()
    assert (outcome.state, outcome.end_cloning, running.task.failed_domains) == ("Success", True, [TOPIC])


def test_without_the_proxys_topic_the_task_fails_and_the_core_runs(lab: Lab) -> None:
    load_log(DUMP, IID, lab.kafka.bootstrap, create(lab.kafka))
    outcome = Running(lab, Store(":memory:")).ended()
    assert (outcome.state, outcome.end_cloning) == ("InError", True)
    assert "crp-dir-entries" in outcome.message


def test_without_an_id_sequence_the_task_fails_and_the_core_stays_cloning(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    kept = [line for line in read_lines("orphans") if line["key"]["type"] != "container_item_id_seq"]
    write_lines(folder, "orphans", kept)
    write_lines(folder, DOMAIN, [])
    lab.load(folder)
    outcome = Running(lab, Store(":memory:")).ended()
    assert (outcome.state, outcome.end_cloning) == ("InError", False)


def test_a_domain_that_the_orphans_do_not_know_breaks_the_run(lab: Lab) -> None:
    lab.load()
    lab.kafka.create_topic(topics.domain(IID, "other.test"), 64)
    outcome = Running(lab, Store(":memory:")).ended()
    assert (outcome.state, outcome.end_cloning) == ("InError", True)
    assert "other.test" in outcome.message


def test_an_unmapped_server_is_configured_with_blues_address(lab: Lab) -> None:
    lab.load()
    Running(lab, Store(":memory:"), uid_to_ip_mapping={}).caught_up().promote()
    assert (lab.folder / "data" / "actions.log").read_text() == "configured 192.168.31.168\n"


def test_a_fork_ends_by_itself(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    outcome = Running(lab, store, mode="FORK").ended()
    assert (outcome.state, outcome.end_cloning) == ("Success", True)
    assert store.item_count(DOMAIN) == 25


def test_the_sequence_follows_the_leader_while_tailing(lab: Lab) -> None:
    lab.load()
    store = Store(":memory:")
    running = Running(lab, store).caught_up()
    line = next(one for one in read_lines("orphans") if one["key"]["type"] == "container_item_id_seq")
    value = {"defaultDataSourceSeq": 78, "mailboxDataSourceSeq": {"bm-master": 950_000}}
    lab.produce(topics.orphans(IID), [line | {"value": line["value"] | {"value": value}}])
    until(lambda: store.id_sequence() >= 1_950_000, "the second bump")
    running.promote()


def test_presync_entries_come_before_the_domain(lab: Lab) -> None:
    lab.load()
    presync = topics.presync(IID, DOMAIN)
    lab.kafka.create_topic(presync, 64)
    lab.produce(presync, [line for line in read_lines(DOMAIN) if '"ORG_UNIT"' in json.dumps(line)])
    running = Running(lab, Store(":memory:")).caught_up()
    assert len(placeholders(lab.log)) <= 5
    assert running.promote().state == "Success"


def test_throughput_is_above_four_thousand_records_a_second(lab: Lab, tmp_path: Path) -> None:
    lab.load()
    store = Store(tmp_path / "core.sqlite")
    begin = time.process_time()
    running = Running(lab, store).caught_up()
    spent = time.process_time() - begin
    running.promote()
    store.close()
    assert 2855 / spent > 4000


def test_objects_are_uploaded_once(lab: Lab, bucket_server: BucketServer, tmp_path: Path) -> None:
    keys = {"access": bucket_server.access_key, "secret": bucket_server.secret_key}
    for name, content in keys.items():
        (tmp_path / name).write_text(content)
    s3 = S3(
        endpoint=bucket_server.endpoint,
        access_key_file=str(tmp_path / "access"),
        secret_key_file=str(tmp_path / "secret"),
    )
    dump = with_some_objects(tmp_path / "dump", 60)
    first = load_log(dump, IID, lab.kafka.bootstrap, create(lab.kafka), s3)
    again = load_log(dump, IID, lab.kafka.bootstrap, create(lab.kafka), s3)
    assert (first.uploaded, first.present, again.uploaded, again.present) == (60, 0, 0, 60)
    client = Minio(
        bucket_server.host,
        access_key=bucket_server.access_key,
        secret_key=bucket_server.secret_key,
        secure=False,
        region=bucket_server.region,
    )
    names = [str(found.object_name) for found in client.list_objects("bluemind")]
    with tarfile.open(dump / "objects.tar") as archive:
        assert sorted(names) == sorted(archive.getnames())


def with_some_objects(folder: Path, count: int) -> Path:
    """The dump with its first objects only."""
    folder.mkdir()
    for path in DUMP.glob("*.jsonl.gz"):
        (folder / path.name).symlink_to(path.resolve())
    with tarfile.open(DUMP / "objects.tar") as whole, tarfile.open(folder / "objects.tar", "w") as some:
        for member in [member for member in whole if member.isfile()][:count]:
            some.addfile(member, whole.extractfile(member))
    return folder


def test_every_object_of_the_dump_is_what_its_name_says() -> None:
    names = [name for name, _ in read_objects(DUMP / "objects.tar")]
    assert (len(names), len([name for name in names if len(name) == 40])) == (435, 421)
