"""Each guard finds its hazard where it is really present, through the facts that `plan` and `cutover` read, and passes without it.

All hazards are put into one lab at once, the facts are read as they are at the gate, the hazards are taken away, and the facts are
read again: a guard that speaks of something else, or can not see, fails one of the two.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from tests.integration.core_kit import ADDRESSES, DOMAIN, IID, until
from tests.integration.guard_lab import (
    BLUE_SETTINGS,
    Lab,
    listener,
    running_lab,
    tls_listener,
    with_frontend,
)
from tests.integration.parts import require_real, running_apache_kafka

from bmswitch.model.config import Core, Replication
from bmswitch.model.guards import GUARDS, Facts
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.twin import TwinNode
from bmswitch.workflows.facts import at_gate, beforehand
from bmswitch.workflows.plan import make_plan

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
BY_NAME = {guard.name: guard for guard in GUARDS}
HEX = IID.removeprefix("bluemind-").replace("-", "")

HAZARDS: dict[str, Level] = {
    "bodies_in_bucket": Level.stop,
    "bucket_of_the_source": Level.stop,
    "bucket_versioned": Level.warn,
    "certificates_alike": Level.warn,
    "certificates_good": Level.stop,
    "clone_readers_stable": Level.warn,
    "cluster_ports_closed": Level.warn,
    "compaction_waits": Level.warn,
    "documents_apart": Level.warn,
    "documents_in_bucket": Level.warn,
    "documents_kept": Level.warn,
    "edge_apart": Level.warn,
    "fresh_bodies_there": Level.stop,
    "log_settings": Level.stop,
    "mail_ports_closed": Level.warn,
    "mail_queue_empty": Level.warn,
    "no_job_due": Level.warn,
    "no_lost_records": Level.stop,
    "public_links_work": Level.stop,
    "public_name_at_proxies": Level.stop,
    "retention_long": Level.warn,
    "same_partitions": Level.stop,
    "same_public_address": Level.warn,
    "schema_upgraded": Level.stop,
    "search_complete": Level.warn,
    "settings_equal": Level.warn,
    "settings_of_its_own_host": Level.warn,
}
"""Guards whose hazard is put into the lab, and what each must say then."""


@dataclass
class Seen:
    """The facts with all hazards there, and after they were taken away."""

    spoiled: Facts
    healed: Facts


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    require_real("minio")
    folder = tmp_path_factory.mktemp("guards")
    with running_apache_kafka(folder / "kafka") as kafka, running_lab(folder, kafka) as made:
        made.plan = make_plan(made.config)
        yield made


@pytest.fixture(scope="module")
def seen(lab: Lab) -> Iterator[Seen]:
    good, ending = lab.certificates.make("good", 90), lab.certificates.make("stranger", 90)
    with ExitStack() as always:
        port = always.enter_context(tls_listener("127.0.0.1", 0, good))
        blue_tls(lab, always, good)
        with ExitStack() as spoiling:
            broken = spoiling.enter_context(_stranger(lab))
            _spoil(lab, spoiling)
            spoiling.enter_context(tls_listener(ADDRESSES["green"], 443, ending))
            spoiled = _gate(lab, broken)
        always.enter_context(tls_listener(ADDRESSES["green"], 443, good))
        yield Seen(spoiled, _gate(lab, port))


def blue_tls(lab: Lab, stack: ExitStack, certificate: Path) -> None:
    """Blue's own nginx, as far as a certificate goes."""
    try:
        stack.enter_context(tls_listener(ADDRESSES["blue"], 443, certificate))
    except PermissionError:
        pytest.skip("port 443 needs more rights than this test has")


@contextmanager
def _stranger(lab: Lab) -> Iterator[int]:
    """A frontend with a certificate of an authority that no client knows."""
    other = type(lab.certificates)(lab.folder / "other")
    with tls_listener("127.0.0.1", 0, other.make("unknown", 90)) as port:
        yield port


def _spoil(lab: Lab, stack: ExitStack) -> None:
    """Everything that goes wrong beforehand, with its way back."""
    enter = stack.enter_context
    for key, value in {
        "archive_kind": "cyrus",
        "sds_s3_bucket": "another",
        "sds_backup_rentention_days": "0",
        "sds_filehosting_storetype": "",
        "external_url": f"https://{ADDRESSES['blue']}",
    }.items():
        enter(lab.setting(lab.blue, key, value))
    for key, value in {
        "sds_filehosting_s3_bucket": BLUE_SETTINGS["sds_filehosting_s3_bucket"],
        "host": ADDRESSES["blue"],
        "message_size_limit": "1",
    }.items():
        enter(lab.setting(lab.green, key, value))
    enter(_bucket(lab))
    enter(lab.topic_setting(lab.domain_topic, "cleanup.policy", "compact,delete", "compact"))
    enter(lab.topic_setting(lab.domain_topic, "max.compaction.lag.ms", "60000", "3600000"))
    enter(_odd_topic(lab))
    enter(_readers_that_move(lab))
    enter(_edge(lab))
    enter(_job_due(lab))
    enter(_machine(lab))
    enter(lab.documents_lost())
    for address, port in ((ADDRESSES["green"], 2400), (ADDRESSES["green"], 5701), (ADDRESSES["blue"], 5701)):
        enter(listener(address, port))
    enter(_link(lab))
    enter(_upgraders(lab))


@contextmanager
def _bucket(lab: Lab) -> Iterator[None]:
    """Versioning suspended, a photo gone, and the body of the newest mail not there."""
    photo = f"doc-fs-dir_{DOMAIN}_photos_1"
    found = [o.object_name or "" for o in lab.s3.list_objects(lab.bucket) if len(o.object_name or "") == 40]
    lab.versioning(on=False)
    kept = {name: lab.take(name) for name in (photo, *found)}
    yield
    for name, data in kept.items():
        lab.put(name, data)
    lab.versioning(on=True)


@contextmanager
def _odd_topic(lab: Lab) -> Iterator[None]:
    lab.kafka.create_topic(f"{HEX}-odd.test", 3)
    yield
    lab.kafka.delete_topic(f"{HEX}-odd.test")


@contextmanager
def _readers_that_move(lab: Lab) -> Iterator[None]:
    """A second reader joins a clone's group, whose first does not answer any more: the group waits for it."""
    readers = [Consumer(_member(lab.kafka.bootstrap)) for _ in range(2)]
    topic = lab.domain_topic
    try:
        readers[0].subscribe([topic])
        until(
            lambda: readers[0].poll(0.1) is not None or bool(readers[0].assignment()),
            "the first reader has joined",
        )
        readers[1].subscribe([topic])
        readers[1].poll(2.0)
        yield
    finally:
        for reader in readers:
            reader.close()


def _member(bootstrap: str) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": f"clone-{HEX}-of-644e1a44-332a-47af-815d-b5a806fa5ab0",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
    }


@contextmanager
def _edge(lab: Lab) -> Iterator[None]:
    where = "/api/servers/default/bm-master"
    told = lab.blue.call("GET", f"{where}/complete")
    assert isinstance(told, dict)
    server = told["value"]
    lab.blue.call("POST", where, server | {"tags": [*server["tags"], "bm/nginx-edge"]})
    yield
    lab.blue.call("POST", where, server)


@contextmanager
def _job_due(lab: Lab) -> Iterator[None]:
    def plan(seconds: float) -> None:
        due = [{"kind": "SCHEDULED", "nextRun": int((time.time() + seconds) * 1000), "domain": "global.virt"}]
        lab.blue.call(
            "POST", "/api/scheduledjobs/_updateJob", {"id": "LdapImport", "domainPlanification": due}
        )

    plan(300)
    yield
    plan(86400)


@contextmanager
def _machine(lab: Lab) -> Iterator[None]:
    """The core could not store a record, and mails wait in Postfix."""
    queue = lab.blue.site.etc / "bin" / "postqueue"
    before = lab.blue.log.read_bytes()
    with lab.blue.log.open("ab") as log:
        log.write(b"2026-01-01 ERROR Failed to store a record\n")
    _queue(queue, "-- 12 Kbytes in 3 Requests.")
    yield
    _queue(queue, "Mail queue is empty")
    lab.blue.log.write_bytes(before)


def _queue(path: Path, said: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)


@contextmanager
def _link(lab: Lab) -> Iterator[None]:
    lab.web.status = 404
    yield
    lab.web.status = 200


@contextmanager
def _upgraders(lab: Lab) -> Iterator[None]:
    defects = lab.green.site.etc / "defects"
    defects.write_text("upgraders-not-run\n")
    yield
    defects.unlink()


def _gate(lab: Lab, frontend: int) -> Facts:
    assert lab.plan is not None
    node = TwinNode("edge", lambda: int(time.time() * 1000))
    return at_gate(with_frontend(lab.config, frontend), lab.plan, nodes=[node], orphans=list)


@pytest.mark.parametrize("name", sorted(HAZARDS))
def test_a_hazard_is_found_and_its_absence_too(name: str, seen: Seen) -> None:
    spoke, calm = BY_NAME[name](seen.spoiled), BY_NAME[name](seen.healed)
    assert spoke.level is HAZARDS[name], spoke
    assert spoke.cause
    assert calm.level is Level.passed, calm


def test_nothing_secret_is_in_what_the_guards_say(lab: Lab, seen: Seen) -> None:
    secrets = [BLUE_SETTINGS["sds_filehosting_s3_access_key"], lab.server.secret_key, *_tokens(lab)]
    for facts in (seen.spoiled, seen.healed):
        said: list[Finding] = [guard(facts) for guard in GUARDS if guard.name in HAZARDS]
        text = msgspec.json.encode(said).decode() + repr(facts)
        assert [secret for secret in secrets if secret in text] == []


@pytest.fixture(scope="module")
def misconfigured(lab: Lab) -> Facts:
    """The lab, and a configuration that does not fit it."""
    replace = msgspec.structs.replace
    config = lab.config
    blue = replace(config.blue, version="4.9", core=Core(stop=["true"]))
    green = replace(config.green, installation_id="bluemind-644e1a44\n", url=blue.url, token=blue.token)
    return beforehand(
        replace(config, blue=blue, green=green, servers={}, replication=Replication(), public_links=[])
    )


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("two_sites", Level.stop),
        ("versions_as_told", Level.stop),
        ("ids_well_formed", Level.stop),
        ("same_installation_id", Level.warn),
        ("servers_mapped", Level.stop),
        ("source_can_be_stopped", Level.warn),
        ("source_can_be_fenced", Level.warn),
        ("proxies_on_source", Level.unknown),
        ("public_links_work", Level.warn),
        ("log_copies", Level.warn),
        ("log_closed", Level.warn),
        ("target_is_free", Level.stop),
    ],
)
def test_what_is_wrong_with_the_configuration_or_with_one_broker_in_clear(
    name: str, level: Level, misconfigured: Facts
) -> None:
    assert BY_NAME[name](misconfigured).level is level, BY_NAME[name](misconfigured)


def test_a_rule_that_deletes_by_itself_and_one_that_forgets_soon(lab: Lab) -> None:
    for rule, word in (
        (Rule(ENABLED, rule_filter=Filter(prefix=""), rule_id="old", expiration=Expiration(days=30)), "old"),
        (_forgets(3), "3 days"),
    ):
        lab.s3.set_bucket_lifecycle(lab.bucket, LifecycleConfig([rule]))
        found = BY_NAME["bucket_versioned"](beforehand(lab.config))
        lab.s3.delete_bucket_lifecycle(lab.bucket)
        assert found.level is Level.warn
        assert word in found.cause + found.evidence


def test_a_core_whose_clock_is_wrong(lab: Lab) -> None:
    lab.web.ahead = 120.0
    site = msgspec.structs.replace(lab.config.green, url=lab.web.url)
    found = BY_NAME["clocks_agree"](beforehand(msgspec.structs.replace(lab.config, green=site)))
    lab.web.ahead = 0.0
    assert (found.level, "green" in found.evidence) == (Level.stop, True)


def test_a_certificate_that_ends_soon(lab: Lab) -> None:
    with tls_listener("127.0.0.1", 0, lab.certificates.make("soon", 3)) as port:
        found = BY_NAME["certificates_good"](beforehand(with_frontend(lab.config, port)))
    assert (found.level, "in 3 days" in found.evidence or "in 2 days" in found.evidence) == (Level.warn, True)


def _forgets(days: int) -> Rule:
    from minio.lifecycleconfig import NoncurrentVersionExpiration  # noqa: PLC0415 - only here

    gone = NoncurrentVersionExpiration(noncurrent_days=days)
    return Rule(ENABLED, rule_filter=Filter(prefix=""), rule_id="short", noncurrent_version_expiration=gone)


def _tokens(lab: Lab) -> list[str]:
    folder = lab.folder / "secrets"
    return [path.read_text(encoding="utf-8") for path in folder.iterdir()]
