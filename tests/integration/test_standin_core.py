"""The stand-in core as a process: its log on a real Kafka protocol, its bodies in a real bucket, its hand-over."""

import imaplib
import signal
import smtplib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import msgspec
import pytest
from tests.integration.core_kit import (
    DOMAIN,
    IID,
    TOKENS,
    RunningCore,
    create_topics,
    derive_crp,
    make_site,
    read_topic,
    running,
    until,
)
from tests.integration.parts import BucketServer, running_bucket

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.publisher import Publisher
from bmswitch.lab.seed import PASSWORD, user_uid
from bmswitch.lab.services.bodies import decompress, guid_of
from bmswitch.lab.site import Seed
from bmswitch.model import topics
from bmswitch.model.digest import Json, normalise
from bmswitch.model.partition import partition_of
from bmswitch.model.records import Operation, RecordKey, decode_envelope, decode_item_uid
from bmswitch.parity.tables import COMPLETE, ENTRY_IGNORED, SIDE

ALL = {"hiddenFilter": False, "systemFilter": False, "stateFilter": "All", "size": -1}
MAIL = b"From: a@lab.test\r\nTo: user-000@lab.test\r\nSubject: over smtp\r\n\r\nnew text %d\r\n"


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as found:
        create_topics(found)
        yield found


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[BucketServer]:
    with running_bucket("rclone", tmp_path / "s3") as server:
        yield server


def entries(core: RunningCore) -> list[dict[str, Any]]:
    answer = cast("dict[str, Any]", core.call("POST", f"/api/directory/{DOMAIN}/_search", ALL))
    return cast("list[dict[str, Any]]", answer["values"])


def items_of(core: RunningCore) -> dict[tuple[str, str], tuple[int, int]]:
    """(container, item uid) -> (id, version) of everything that people own."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for owner in [entry["uid"] for entry in entries(core)] + [f"addressbook_{DOMAIN}"]:
        containers = cast(
            "list[dict[str, Any]]", core.call("POST", "/api/containers/_manage/_listLight", {"owner": owner})
        )
        for container in containers:
            uid = container["uid"]
            listed = core.call("GET", f"/api/containers/_manage/{quote(uid, safe='')}/_list")
            for item in cast("list[dict[str, Any]]", listed):
                found[uid, item["uid"]] = (item["internalId"], item["version"])
    return found


def side_values(core: RunningCore) -> dict[str, object]:
    """What is no item, and the entries' own values, as the proof reads them."""
    found: dict[str, object] = {}
    for entry in entries(core):
        kind, uid = entry["value"]["kind"], entry["uid"]
        paths = {side.path: side.ignored for side in SIDE.values() if kind in side.kinds}
        if kind in COMPLETE:
            paths[COMPLETE[kind]] = ENTRY_IGNORED
        for path, ignored in paths.items():
            filled = path.format(domain=DOMAIN, entry=quote(uid, safe=""))
            answer = core.call("GET", filled)
            value = answer["value"] if isinstance(answer, dict) and "internalId" in answer else answer
            found[filled] = normalise(cast("Json", value), ignored)
    return found


def logged_items(bootstrap: str) -> dict[tuple[str, str], tuple[int, int]]:
    """The same out of the log: last write wins, in offset order."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    side = (
        "_containers_meta",
        "_memberships",
        "_role",
        "_mailfilters",
        "_userMailIdentities",
        "_resourceTypes",
    )
    for record in read_topic(bootstrap, topics.domain(IID, DOMAIN)):
        key = record.key
        if record.value is None or key.uid.endswith((*side, "_message_bodies", "_message_bodies_es_source")):
            continue
        place = (key.uid, decode_item_uid(record.value))
        if key.operation is Operation.DELETE:
            found.pop(place, None)
        elif key.uid != DOMAIN:
            envelope = decode_envelope(record.value)
            found[place] = (envelope.internal_id, envelope.version)
    return found


def test_the_log_says_what_rest_says(kafka: EmbeddedKafka, bucket: BucketServer, tmp_path: Path) -> None:
    site = make_site(tmp_path, kafka, bucket=bucket, seed=Seed(users=3, items=15))
    with running(site) as core:
        uid = user_uid(DOMAIN, 0)
        notes = f"/api/notes/{quote(f'notes:default_{uid}', safe='')}"
        core.call("PUT", f"{notes}/n1", {"subject": "a", "body": "b"})
        core.call("POST", f"{notes}/n1", {"subject": "é %2F", "body": "c"})
        core.call("PUT", f"{notes}/{quote('to go / away', safe='')}", {"subject": "x"})
        core.call("DELETE", f"{notes}/{quote('to go / away', safe='')}")
        gone = user_uid(DOMAIN, 2)
        core.call("DELETE", f"/api/users/{DOMAIN}/{gone}")
        shown = items_of(core)
        core.end()
    logged = {place: state for place, state in logged_items(kafka.bootstrap).items() if gone not in place[0]}
    folders = {place[1] for place in logged if place[0].startswith("subtree_")}
    logged = {
        place: state
        for place, state in logged.items()
        if not place[0].startswith("mbox_records_") or place[0].removeprefix("mbox_records_") in folders
    }
    assert shown == {place: state for place, state in logged.items() if place in shown}
    assert set(shown) == {place for place in logged if not place[0].endswith(gone)} & set(shown)
    assert (f"notes:default_{uid}", "n1") in shown
    assert (f"notes:default_{uid}", "to go / away") not in logged


def test_mail_over_smtp_and_imap_reaches_bucket_and_log(
    kafka: EmbeddedKafka, bucket: BucketServer, tmp_path: Path
) -> None:
    site = make_site(tmp_path, kafka, bucket=bucket, seed=Seed(users=1, items=0))
    with running(site) as core:
        with smtplib.SMTP(site.address, site.smtp_port, timeout=10) as smtp:
            smtp.login(f"user-000@{DOMAIN}", PASSWORD)
            smtp.sendmail(f"user-000@{DOMAIN}", [f"user-000@{DOMAIN}"], MAIL % 1)
        with imaplib.IMAP4(site.address, site.imap_port, timeout=10) as imap:
            imap.login(f"user-000@{DOMAIN}", PASSWORD)
            assert imap.select("INBOX")[1] == [b"1"]
            raw = cast("tuple[bytes, bytes]", imap.fetch("1", "(RFC822)")[1][0])[1]
        assert b"new text 1" in raw
        core.end()
    guid = guid_of(raw)
    stored = tmp_path / "s3" / "bucket" / "bluemind" / guid
    assert decompress(stored.read_bytes()) == raw
    records = read_topic(kafka.bootstrap, topics.domain(IID, DOMAIN))
    kinds = [record.key.type for record in records if guid.encode() in (record.value or b"")]
    assert kinds == ["message_bodies", "message_bodies_es_source", "mailbox_records"]


def test_a_killed_core_loses_what_lingered_and_keeps_what_was_acknowledged(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(users=1, items=0))
    container = f"notes:default_{user_uid(DOMAIN, 0)}"
    path = f"/api/notes/{quote(container, safe='')}"
    with running(site) as core:
        core.call("PUT", f"{path}/kept", {"subject": "kept"})
        until(lambda: (container, "kept") in logged_items(kafka.bootstrap), "the first note is in the log")
        core.call("PUT", f"{path}/lost", {"subject": "lost"})
        core.end(signal.SIGKILL)
        assert (container, "lost") not in logged_items(kafka.bootstrap)
        core.start()
        assert core.call("GET", f"{path}/lost/complete") is not None
        assert core.state() == "CORE_STATE_RUNNING"
        core.end()
    assert (container, "lost") not in logged_items(kafka.bootstrap)


def test_a_demoted_core_is_fenced_and_refuses_to_start_until_enabled(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(users=1, items=0))
    path = f"/api/notes/{quote(f'notes:default_{user_uid(DOMAIN, 0)}', safe='')}/n"
    with running(site) as core:
        core.call("PUT", "/api/system/installation/state/_demote")
        assert core.state() == "CORE_STATE_DEMOTED"
        refused = core.http.put(path, content=b"{}")
        assert (refused.status_code, refused.json()["message"]) == (500, "instance is not writable")
        login = f"/api/auth/login?login=user-000@{DOMAIN}&origin=test"
        anonymous = core.http.post(login, content=msgspec.json.encode(PASSWORD), headers={"X-BM-ApiKey": ""})
        assert anonymous.json()["status"] == "Bad"
        assert core.call("GET", "/api/domains") is not None
        core.end()
        assert core.spawn().wait(20.0) != 0
        site.disabled.unlink()
        core.start()
        assert core.state() == "CORE_STATE_RUNNING"
        core.call("PUT", path, {"subject": "again"})
        core.end()
    last = [r for r in read_topic(kafka.bootstrap, topics.domain(IID, DOMAIN)) if r.partition == 13]
    assert any(b'"seppuku"' in (record.value or b"") for record in last)


def test_errors_are_answered_as_bluemind_does(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(users=2, items=0))
    with running(site) as core:
        mine, other = user_uid(DOMAIN, 0), user_uid(DOMAIN, 1)
        login = core.call("POST", f"/api/auth/login?login=user-000@{DOMAIN}&origin=test", PASSWORD)
        key = cast("dict[str, Any]", login)["authKey"]
        user = {"X-BM-ApiKey": key}
        own = core.http.put(f"/api/notes/notes:default_{mine}/n", content=b"{}", headers=user)
        foreign = core.http.put(f"/api/notes/notes:default_{other}/n", content=b"{}", headers=user)
        again = core.http.put(f"/api/notes/notes:default_{mine}/n", content=b"{}", headers=user)
        answers = [
            own,
            foreign,
            again,
            core.http.get("/api/domains", headers={"X-BM-ApiKey": "wrong"}),
            core.http.get("/api/containers/_manage/nowhere/_itemCount"),
            core.http.get("/api/nowhere"),
            core.http.put(f"/api/notes/notes:default_{mine}/m", content=b"{not json"),
            core.http.get(f"/api/notes/notes:default_{mine}/absent/complete"),
        ]
        shown = [
            (a.status_code, a.json().get("errorCode") or a.json().get("code") if a.content else "")
            for a in answers
        ]
    assert shown == [
        (200, ""),
        (403, "PERMISSION_DENIED"),
        (500, "ALREADY_EXISTS"),
        (401, "AUTHENTICATION_FAIL"),
        (404, "NOT_FOUND"),
        (500, "UNKNOWN"),
        (500, "INVALID_PARAMETER"),
        (204, ""),
    ]


def test_a_topic_keeps_its_own_partition_count_and_a_missing_one_loses_records() -> None:
    key = RecordKey("notes", "U1", "notes:default_U1", 5, "net.bluemind.notes.api.VNote", Operation.CREATE)
    with EmbeddedKafka() as kafka:
        kafka.create_topic(topics.domain(IID, DOMAIN), 16)
        allowed = [True]
        publisher = Publisher(kafka.bootstrap, lambda: IID, lambda: allowed[0], tombstones=True)
        publisher.put(DOMAIN, key, "n1", b'{"uid":"n1"}')
        publisher.delete(DOMAIN, key, "n1")
        publisher.put("global.virt", key, "n1", b'{"uid":"n1"}')
        publisher.put("", key, "n1", b'{"uid":"n1"}')
        allowed[0] = False
        publisher.put(DOMAIN, key, "n2", b'{"uid":"n2"}')
        publisher.close()
        found = read_topic(kafka.bootstrap, topics.domain(IID, DOMAIN))
    assert (publisher.sent, publisher.lost) == (4, 1)
    assert {record.partition for record in found} == {partition_of("U1", 16)}
    assert [record.key.operation for record in found] == ["CREATE", "DELETE", "UPDATE", "CREATE"]
    assert [record.value for record in found] == [b'{"uid":"n1"}', b'{"uid":"n1"}', None, None]


def test_a_broker_outage_never_fails_a_write(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(users=1, items=0))
    container = f"notes:default_{user_uid(DOMAIN, 0)}"
    path = f"/api/notes/{quote(container, safe='')}"
    with running(site) as core:
        until(lambda: len(logged_items(kafka.bootstrap)) > 0, "the seed is in the log")
        kafka.set_down()
        core.call("PUT", f"{path}/dark", {"subject": "while Kafka is away"})
        kafka.set_up()
        core.end()
    assert (container, "dark") in logged_items(kafka.bootstrap)


def test_a_tail_clone_catches_up_is_promoted_and_serves(
    kafka: EmbeddedKafka, bucket: BucketServer, tmp_path: Path
) -> None:
    blue_site = make_site(tmp_path, kafka, bucket=bucket, seed=Seed(users=3, items=10))
    green_site = make_site(tmp_path, kafka, name="green", version="5.1", bucket=bucket)
    green_site.mcast_id_clone.write_text(IID.removeprefix("bluemind-"))
    note = f"/api/notes/{quote(f'notes:default_{user_uid(DOMAIN, 0)}', safe='')}/last"
    with running(blue_site) as blue, running(green_site) as green:
        until(lambda: len(logged_items(kafka.bootstrap)) >= len(items_of(blue)), "blue's log is written")
        derive_crp(kafka)
        assert green.state() == "CORE_STATE_NOT_INSTALLED"
        green.http.post(
            "/api/system/installation/_initialize", headers={"X-BM-ApiKey": ""}
        ).raise_for_status()
        assert green.state() == "CORE_STATE_CLONING"
        request = {
            "sourceInstallationId": IID,
            "targetInstallationId": IID,
            "uidToIpMapping": {"bm-master": green_site.address},
            "mode": "TAIL",
        }
        task = cast("dict[str, Any]", green.call("POST", "/api/system/installation/_clone", request))["id"]
        blue.call("PUT", note, {"subject": "written while cloning"})
        until(lambda: green.http.get(f"{note}/complete").status_code == 200, "green tails blue")
        blue.call("PUT", "/api/system/installation/state/_demote")
        expected = items_of(blue)
        until(lambda: set(items_of(green)) >= set(expected), "green has every item")
        until(lambda: side_values(green) == side_values(blue), "green has all that is beside the items")
        green.call("PUT", "/api/system/installation/state/_promote")
        assert green.state() == "CORE_STATE_RUNNING"
        green.call("PUT", note.replace("/last", "/first"), {"subject": "on green"})
        login = green.call("POST", f"/api/auth/login?login=user-001@{DOMAIN}&origin=test", PASSWORD)
        assert cast("dict[str, Any]", login)["status"] == "Ok"
        ended = lambda: cast("dict[str, Any]", green.call("GET", f"/api/tasks/{task}"))["state"] == "Success"  # noqa: E731
        until(ended, "the task ends")
        assert not green_site.clone_marker.exists()
        servers = cast("list[dict[str, Any]]", green.call("GET", "/api/servers/default/_complete"))
        assert [server["value"]["ip"] for server in servers] == [green_site.address]
        green.end()
    assert any(key[1] == "first" for key in logged_items(kafka.bootstrap))


def test_the_core_sustains_many_small_requests(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(users=1, items=0))
    path = f"/api/notes/{quote(f'notes:default_{user_uid(DOMAIN, 0)}', safe='')}"
    with running(site) as core:
        started = time.monotonic()
        for number in range(300):
            core.call("PUT", f"{path}/n{number}", {"subject": "s", "body": "b"})
        seconds = time.monotonic() - started
        count = core.call("GET", f"/api/containers/_manage/notes:default_{user_uid(DOMAIN, 0)}/_itemCount")
    assert count == {"total": 300}
    assert seconds < 10.0
    assert TOKENS["blue"] not in core.log.read_text()


@pytest.mark.real
def test_on_a_real_kafka_topics_are_made_as_bluemind_makes_them(apache_kafka: str) -> None:
    iid = "bluemind-" + str(uuid.uuid4())
    publisher = Publisher(apache_kafka, lambda: iid, lambda: True, tombstones=True)
    key = RecordKey("notes", "U1", "notes:default_U1", 5, "net.bluemind.notes.api.VNote", Operation.CREATE)
    publisher.put(DOMAIN, key, "n1", b'{"uid":"n1"}')
    publisher.close()
    found = read_topic(apache_kafka, topics.domain(iid, DOMAIN))
    assert [(record.partition, record.value) for record in found] == [(partition_of("U1"), b'{"uid":"n1"}')]
