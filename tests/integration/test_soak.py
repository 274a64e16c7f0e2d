"""The soak against real fronts: a person's whole round, and frontends that greet well and yet do not work (hazard 16)."""

import imaplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from tests.integration.core_kit import DOMAIN, create_topics, make_site, running
from tests.integration.parts import BucketServer, running_bucket

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.seed import PASSWORD, user_uid
from bmswitch.lab.site import Seed, StandIn
from bmswitch.model.config import Frontends, HaproxyNode, Sessions, Soak
from bmswitch.model.soak import Report
from bmswitch.model.switch import Result
from bmswitch.proxy.twin import TwinNode
from bmswitch.workflows.canary import Person
from bmswitch.workflows.kept_sessions import Ending
from bmswitch.workflows.soak_watch import fronts, soak

CANARY = Person(f"user-000@{DOMAIN}", PASSWORD)
LIMITS = Soak(seconds=1.0, every=0.05, failures_in_a_row=2, latency_p95=60.0)


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as found:
        create_topics(found)
        yield found


def watched(site: StandIn, person: Person | None = CANARY, limits: Soak = LIMITS) -> Report:
    """One soak of a stand-in's own fronts, as if they were those of one proxy node."""
    ends = Frontends(
        http=[site.url], imap=[f"{site.address}:{site.imap_port}"], smtp=[f"{site.address}:{site.smtp_port}"]
    )
    node = HaproxyNode(name="edge", socket="-", map_file="-", backends={}, frontends=ends)
    with ThreadPoolExecutor(4) as pool:
        twin = TwinNode("edge", lambda: 0)
        ending = Ending(
            pool, [twin], "blue", fence=1, pace=Sessions(), argv=None, run=lambda _: Result(answer="yes")
        )
        found = fronts([node], person, verify=True)
        return soak(pool, found, limits, ending, canary=person is not None)


def by_protocol(report: Report) -> dict[str, str]:
    """What failed last, by protocol; empty where nothing did."""
    return {each.protocol: each.said for each in report.frontends}


def mails_of_the_canary(site: StandIn) -> int:
    with imaplib.IMAP4(site.address, site.imap_port) as box:
        box.login(CANARY.login, CANARY.password)
        box.select("INBOX")
        found = box.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return sum(isinstance(part, tuple) and b"canary" in part[1] for part in found)


def test_a_persons_whole_round_leaves_nothing_behind(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    with running(make_site(tmp_path, kafka, seed=Seed(domain=DOMAIN, users=1, items=2))) as core:
        report = watched(core.site)
        assert report.breaches == []
        assert by_protocol(report) == {"http": "", "imap": "", "smtp": ""}
        assert all(each.attempts and each.p50_ms > 0 for each in report.frontends)
        assert mails_of_the_canary(core.site) == 0
        tags = core.call("GET", f"/api/tags/tags_{user_uid(DOMAIN, 0)}/_alluids")
        assert "canary" not in str(tags)
        wrong = watched(core.site, Person(CANARY.login, "not-the-word"))
        assert len(wrong.breaches) == 3
        assert "not-the-word" not in msgspec.json.encode(wrong).decode()


def test_a_front_that_is_gone_is_found_by_its_own_protocol(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    site = make_site(tmp_path, kafka, seed=Seed(domain=DOMAIN, users=1, items=2))
    with running(msgspec.structs.replace(site, imap_port=0)) as core:
        assert core.state() == "CORE_STATE_RUNNING"
        report = watched(site)
        said = by_protocol(report)
        assert said["http"] == ""
        assert "ConnectionRefusedError" in said["imap"]
        assert [breach.split(":")[0] for breach in report.breaches if " imap " in breach]
        assert report.seconds < 30


def reader(server: BucketServer, folder: Path, site: StandIn) -> StandIn:
    """The same site with a MinIO key that may only read: what is left when its policy was not changed at the switch."""
    credentials = StaticProvider(server.access_key, server.secret_key)
    admin = MinioAdmin(endpoint=server.host, credentials=credentials, secure=False, region=server.region)
    admin.user_add("reader", "reader-secret")
    admin.attach_policy(["readonly"], user="reader")
    (folder / "reader.access").write_text("reader")
    (folder / "reader.secret").write_text("reader-secret")
    assert site.s3 is not None
    keys = msgspec.structs.replace(
        site.s3,
        access_key_file=str(folder / "reader.access"),
        secret_key_file=str(folder / "reader.secret"),
    )
    return msgspec.structs.replace(site, s3=keys)


@pytest.mark.real
def test_a_key_that_may_only_read_is_found_by_mail_and_not_by_greetings(
    tmp_path: Path, kafka: EmbeddedKafka
) -> None:
    with running_bucket("minio", tmp_path / "s3") as server:
        site = make_site(tmp_path, kafka, bucket=server, seed=Seed(domain=DOMAIN, users=1, items=2))
        with running(site):
            assert watched(site).breaches == []
        broken = reader(server, tmp_path, site)
        with running(broken):
            assert watched(broken, None).breaches == []
            report = watched(broken)
            said = by_protocol(report)
            assert said["http"] == ""
            assert "452" in said["smtp"], said
            assert said["imap"].startswith("append: NO"), said
            assert len(report.breaches) == 2
