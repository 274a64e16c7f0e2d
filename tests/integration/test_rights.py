"""Rights to write, really withdrawn: MinIO with a key for each side, Apache Kafka with ACLs, and the operator's own commands."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewTopic
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from tests.integration.parts import BucketServer, require_real, running_bucket

from bmswitch.lab.supervisor import kafka_apache, ports
from bmswitch.lab.supervisor.layout import COLOURS, SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import await_ready, spawn, stop
from bmswitch.model.config import Colour, Config, KafkaAcls, Replication, Rights
from bmswitch.model.errors import BusyError, RefusedError
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.switch import Result
from bmswitch.objects.rights import may_delete, may_write
from bmswitch.workflows.commands import run_command
from bmswitch.workflows.facts.keys import key_facts
from bmswitch.workflows.facts.log_rights import log_rights
from bmswitch.workflows.log_right import LogRight
from bmswitch.workflows.rights import SideRights, open_store

IID = "bluemind-00000000-0000-0000-0000-00000000000a"
HEX = IID.removeprefix("bluemind-").replace("-", "")
READ_ALL = {
    "Effect": "Allow",
    "Principal": {"AWS": ["*"]},
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::bluemind/*"],
}


class Site:
    """A configuration on real parts, with a secret file for each key."""

    def __init__(self, folder: Path, server: BucketServer | None = None) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.run.mkdir()
        self.server = server
        self.rights: dict[str, Any] = {}
        self.kafka: dict[str, Any] = {"bootstrap": "127.0.0.1:1"}
        self.keys = {"blue": "bluekey", "green": "greenkey"}

    def secret(self, text: str) -> dict[str, str]:
        path = self.folder / f"secret-{abs(hash(text))}"
        path.write_text(text)
        path.chmod(0o600)
        return {"file": str(path)}

    def pair(self, access: str, secret: str) -> dict[str, Any]:
        return {"access_key": self.secret(access), "secret_key": self.secret(secret)}

    @property
    def root(self) -> dict[str, Any]:
        assert self.server is not None
        return self.pair(self.server.access_key, self.server.secret_key)

    def config(self) -> Config:
        sides = {
            side: {
                "url": f"http://{side}:8090",
                "token": self.secret("token"),
                "version": "5",
                "kafka": self.kafka,
                **({"bucket_key": self.pair(key, key + "-secret")} if self.server else {}),
            }
            for side, key in self.keys.items()
        }
        sides["blue"]["rights"] = self.rights
        data = {
            "version": 1,
            "run_dir": str(self.run),
            **sides,
            "servers": {},
            "bucket": {
                "endpoint": self.server.endpoint if self.server else "http://127.0.0.1:1",
                "name": "bluemind",
                **self.pair("a", "b"),
            },
            "proxies": [{"name": "p", "driver": "haproxy", "socket": "s", "map_file": "m", "backends": {}}],
            "provision": {"driver": "local", "directory": "."},
        }
        return msgspec.convert(data, Config)

    def of(self, side: Colour, permit: Any = lambda: None) -> SideRights:
        log = self.run / "commands.log"
        return SideRights(
            self.config(), side, IID, lambda argv, kind, most: run_command(argv, log, most, kind), permit
        )

    def may(self, side: Colour) -> tuple[bool, bool]:
        """What the bucket lets this side's own key do now: put and delete."""
        key = self.config().site(side).bucket_key
        assert key is not None
        store = open_store(self.config(), key)
        try:
            return may_write(store), may_delete(store)
        finally:
            store.close()


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """MinIO with a user for each side, both allowed to read and write; each test leaves it so."""
    require_real("minio")
    with running_bucket("minio", tmp_path_factory.mktemp("minio")) as server:
        admin = administrator(server)
        for key in ("bluekey", "greenkey"):
            admin.user_add(key, key + "-secret")
            admin.attach_policy(["readwrite"], user=key)
        yield server


@pytest.fixture
def site(tmp_path: Path, minio: BucketServer) -> Site:
    """A run of its own on it."""
    return Site(tmp_path, minio)


def administrator(server: BucketServer) -> MinioAdmin:
    credentials = StaticProvider(server.access_key, server.secret_key)
    return MinioAdmin(endpoint=server.host, credentials=credentials, secure=False, region="us-east-1")


def root(server: BucketServer) -> Minio:
    return Minio(
        endpoint=server.host,
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=False,
        region="us-east-1",
    )


@pytest.mark.real
def test_a_minio_user_really_loses_the_right_and_gets_back_exactly_what_it_had(site: Site) -> None:
    assert site.server is not None
    site.rights = {"bucket": {"driver": "minio", "user": "bluekey", **site.root}}
    before = json.loads(administrator(site.server).user_info("bluekey"))["policyName"]
    for _ in range(2):  # a second process repeats it
        assert site.of("blue").withdraw(soon()) == Result(answer="yes")
        assert (site.may("blue"), site.may("green")) == ((False, False), (True, True))
    saved = site.run / "rights-blue.json"
    assert json.loads(saved.read_text())["bucket"] == before
    assert saved.stat().st_mode & 0o777 == 0o600
    facts = {key.colour: key.may_write for key in key_facts(site.config())}
    assert facts == {"blue": False, "green": True}
    for _ in range(2):
        assert site.of("blue").give_back(soon()) == Result(answer="yes")
        assert site.may("blue") == (True, True)
    assert json.loads(administrator(site.server).user_info("bluekey"))["policyName"] == before
    assert not saved.exists()


@pytest.mark.real
def test_a_policy_that_is_kept_and_not_applied_is_not_believed_and_what_was_there_comes_back(
    site: Site,
) -> None:
    assert site.server is not None
    store = root(site.server)
    store.set_bucket_policy("bluemind", json.dumps({"Version": "2012-10-17", "Statement": [READ_ALL]}))
    before = store.get_bucket_policy("bluemind")
    site.rights = {"bucket": {"driver": "policy", "principal": "arn:aws:iam:::user/bluekey", **site.root}}
    result = site.of("blue").withdraw(soon(0.3))
    assert (result.answer, "still takes writes" in result.said) == ("no", True)
    assert "Deny" in store.get_bucket_policy("bluemind")
    assert site.of("blue").withdraw(soon(0.3)).answer == "no"
    assert json.loads((site.run / "rights-blue.json").read_text())["bucket"] == before
    assert site.of("blue").give_back(soon()).answer == "yes"
    assert store.get_bucket_policy("bluemind") == before


@pytest.mark.real
def test_one_key_for_both_sides_is_found_when_the_target_is_hit_too(site: Site) -> None:
    site.keys["green"] = "bluekey"
    site.rights = {"bucket": {"driver": "minio", "user": "bluekey", **site.root}}
    assert all(key.same_as_other for key in key_facts(site.config()))
    result = site.of("blue").withdraw(soon(0.3))
    assert (result.answer, result.said) == ("no", "the bucket refuses green's key as well")
    assert site.of("blue").give_back(soon()).answer == "yes"
    assert site.may("green") == (True, True)


@pytest.mark.real
def test_a_process_that_is_not_the_only_one_any_more_changes_no_policy(site: Site) -> None:
    def gone() -> None:
        raise BusyError("another bmswitch has taken over this run")

    site.rights = {"bucket": {"driver": "minio", "user": "bluekey", **site.root}}
    with pytest.raises(BusyError):
        site.of("blue", gone).withdraw(soon())
    assert site.may("blue") == (True, True)
    assert not (site.run / "rights-blue.json").exists()
    assert site.of("blue").withdraw(soon()).answer == "yes"
    with pytest.raises(BusyError):
        site.of("blue", gone).give_back(soon())
    assert site.may("blue") == (False, False)
    assert site.of("blue").give_back(soon()).answer == "yes"


@contextmanager
def kafka_with_acls(folder: Path) -> Iterator[str]:
    """Apache Kafka with a user for each side and ACLs that allow both to write."""
    require_real("kafka")
    layout = Layout(folder)
    layout.make()
    chosen = ports.pick({"kafka": SHARED_ADDRESS, "controller": SHARED_ADDRESS})
    properties = kafka_apache.prepare(layout.kafka / "node", chosen["kafka"], chosen["controller"])
    address = f"{SHARED_ADDRESS}:{chosen['kafka']}"
    users = " ".join(f'user_{name}="{name}-password"' for name in ("admin", "blue", "green"))
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-password" {users};'
    text = properties.read_text()
    text = text.replace("PLAINTEXT://" + address, "SASL_PLAINTEXT://" + address)
    text = text.replace("PLAINTEXT:PLAINTEXT,", "SASL_PLAINTEXT:SASL_PLAINTEXT,")
    text = text.replace("inter.broker.listener.name=PLAINTEXT", "inter.broker.listener.name=SASL_PLAINTEXT")
    properties.write_text(
        text
        + "sasl.enabled.mechanisms=PLAIN\nsasl.mechanism.inter.broker.protocol=PLAIN\n"
        + f"listener.name.sasl_plaintext.plain.sasl.jaas.config={login}\n"
        + "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
        + "super.users=User:admin;User:ANONYMOUS\n"
    )
    process = spawn(layout, "kafka", kafka_apache.server_command(properties, heap_mb=384))
    try:
        await_ready(layout, process, lambda: _answers(address), kafka_apache.READY)
        yield address
    finally:
        stop(process, grace=10.0)


def login(name: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": name,
        "sasl.password": f"{name}-password",
    }


def _answers(address: str) -> bool:
    try:
        return bool(_admin(address).list_topics(timeout=2.0).brokers)
    except KafkaException:
        return False


def _admin(address: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": address, "log_level": 0, **login("admin")})


def writes(address: str, name: str) -> str:
    """What Kafka answers to one record of this user; empty when it took it."""
    heard: list[str] = []
    producer = Producer(
        {"bootstrap.servers": address, "log_level": 0, "message.timeout.ms": 5000, **login(name)}
    )
    producer.produce(f"{HEX}-lab.test", b"x", on_delivery=lambda e, _m: heard.append(e.name() if e else ""))
    producer.flush(8)
    return heard[0] if heard else "no answer"


@pytest.mark.real
def test_the_sources_principal_really_can_not_write_to_its_log_any_more(tmp_path: Path) -> None:
    with kafka_with_acls(tmp_path / "kafka") as address:
        admin = _admin(address)
        for made in admin.create_topics([NewTopic(f"{HEX}-lab.test", 4, 1)]).values():
            made.result(10)
        site = Site(tmp_path)
        site.kafka = {"bootstrap": address, "settings": login("admin")}
        site.rights = {"kafka": {"driver": "acls", "principal": "User:blue"}}
        with pytest.raises(RefusedError, match="no ACL that allows"):
            site.of("blue").withdraw(soon())
        allow = [
            AclBinding(
                ResourceType.TOPIC,
                f"{HEX}-",
                ResourcePatternType.PREFIXED,
                f"User:{name}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for name in ("blue", "green")
            for operation in (AclOperation.WRITE, AclOperation.DESCRIBE)
        ]
        for made in admin.create_acls(allow).values():
            made.result(10)
        _until(lambda: writes(address, "blue") == writes(address, "green") == "")
        for _ in range(2):
            assert site.of("blue").withdraw(soon()).answer == "yes"
        assert writes(address, "blue") == "TOPIC_AUTHORIZATION_FAILED"
        assert writes(address, "green") == ""
        for _ in range(2):
            assert site.of("blue").give_back(soon()).answer == "yes"
        _until(lambda: writes(address, "blue") == "")
        _on_one_kafka(site, address)


def _on_one_kafka(site: Site, address: str) -> None:
    """A clone's right is withheld and given back, and the leader's stays as it is; who has no ALLOW is found beforehand."""
    shared = Replication(mode="shared")
    config = msgspec.structs.replace(site.config(), replication=shared)
    ways = {side: Rights(kafka=KafkaAcls(principal=f"User:{side}")) for side in ("blue", "green", "nobody")}
    sides = {side: msgspec.structs.replace(config.site(side), rights=ways[side]) for side in COLOURS}
    config = msgspec.structs.replace(config, blue=sides["blue"], green=sides["green"])
    right = LogRight(config, "green", IID, lambda *_: Result(answer="no"), lambda: None)
    for withheld in (True, False, True, False):
        change = right.withhold if withheld else right.grant
        assert change(soon()) == change(soon()) == Result(answer="yes")
        _until(lambda wanted=withheld: (writes(address, "green") != "") is wanted)
        assert writes(address, "blue") == ""
        told = log_rights(config, SideFacts(colour="blue", url="", wanted_version="", installation_id=IID))
        assert (told.source, told.target, told.target_way) == ("User:blue", "User:green", True)
        assert (told.target_denied, told.target_allowed, told.error) == (withheld, True, "")
    bare = msgspec.structs.replace(config, green=msgspec.structs.replace(config.green, rights=ways["nobody"]))
    told = log_rights(bare, SideFacts(colour="blue", url="", wanted_version="", installation_id=IID))
    assert (told.target_denied, told.target_allowed) == (False, False)


def _until(so: Any) -> None:
    end = soon(15)
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_commands_of_the_operator_are_run_in_order_and_their_failure_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    told = tmp_path / "told"
    site.rights = {
        part: {
            "driver": "command",
            "revoke": ["sh", "-c", f"echo revoke {part} >> {told}"],
            "restore": ["sh", "-c", f"echo restore {part} >> {told}"],
        }
        for part in ("bucket", "kafka")
    }
    assert site.of("blue").withdraw(soon()).answer == "yes"
    assert site.of("blue").give_back(soon()).answer == "yes"
    assert told.read_text().splitlines() == [
        f"{what} {part}" for what in ("revoke", "restore") for part in ("bucket", "kafka")
    ]
    assert site.of("blue").withdraw(soon()).answer == "yes"
    rights, site.rights = site.rights, {}
    assert site.of("blue").give_back(soon()).answer == "unknown", "nobody says how"
    site.rights = rights
    site.rights["kafka"]["revoke"] = ["sleep", "9"]
    assert site.of("blue").withdraw(soon(0.2)).answer == "unknown"
    site.rights["kafka"]["revoke"] = ["sh", "-c", "exit 3"]
    result = site.of("blue").withdraw(soon())
    assert (result.answer, "ended with 3" in result.said) == ("no", True)
