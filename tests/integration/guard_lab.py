"""A lab in which hazards are really present: two stand-in cores, one a clone of the other, on Apache Kafka and MinIO."""

import http.server
import io
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig
from tests.integration import parts
from tests.integration.core_kit import ADDRESSES, DOMAIN, IID, TOKENS, RunningCore, make_site, running, until

from bmswitch.lab.site import Seed
from bmswitch.model import topics
from bmswitch.model.config import (
    Bucket,
    Config,
    Core,
    EnvoyNode,
    Frontends,
    Kafka,
    LocalProvision,
    Machines,
    Replication,
    Secret,
    Site,
    Tls,
)
from bmswitch.model.plan import Plan

SETTINGS = {"cleanup.policy": "compact", "max.message.bytes": "5505024", "max.compaction.lag.ms": "3600000"}
HOST = "localhost"
"""The public name of the lab: it leads to 127.0.0.1, where the frontends are."""
BLUE_SETTINGS = {
    "external_url": f"https://{HOST}",
    "hz-member-address": ADDRESSES["blue"],
    "sds_filehosting_storetype": "s3",
    "sds_filehosting_s3_bucket": "documents",
    "sds_filehosting_s3_access_key": "AKIDOFBLUE",
}
GREEN_SETTINGS = {
    "host": ADDRESSES["green"],
    "hz-member-address": ADDRESSES["green"],
    "sds_filehosting_s3_bucket": "documents-of-green",
}


class Broker:
    """The real Kafka of the lab."""

    def __init__(self, address: str) -> None:
        self.bootstrap = address
        self.admin = AdminClient({"bootstrap.servers": address, "log_level": 0})

    def create_topic(self, name: str, partitions: int) -> None:
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=SETTINGS)
        self.admin.create_topics([new])[name].result(20)

    def delete_topic(self, name: str) -> None:
        self.admin.delete_topics([name])[name].result(20)

    def alter(self, topic: str, key: str, value: str) -> None:
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(20)


@dataclass
class Lab:
    """The whole lab."""

    folder: Path
    kafka: Broker
    s3: Minio
    server: parts.BucketServer
    blue: RunningCore
    green: RunningCore
    certificates: "Certificates"
    web: "Web"
    config: Config
    plan: Plan | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def bucket(self) -> str:
        return self.server.bucket

    @property
    def domain_topic(self) -> str:
        return topics.domain(IID, DOMAIN)

    def versioning(self, *, on: bool) -> None:
        self.s3.set_bucket_versioning(self.bucket, VersioningConfig(ENABLED if on else SUSPENDED))

    def put(self, name: str, data: bytes = b"x") -> None:
        self.s3.put_object(self.bucket, name, io.BytesIO(data), len(data))

    def take(self, name: str) -> bytes:
        """The object, removed."""
        answer = self.s3.get_object(self.bucket, name)
        try:
            data = answer.read()
        finally:
            answer.close()
            answer.release_conn()
        self.s3.remove_object(self.bucket, name)
        return bytes(data)

    @contextmanager
    def setting(self, core: RunningCore, key: str, value: str) -> Iterator[None]:
        """A value of a core's system configuration changed, and put back."""
        told = core.call("GET", "/api/configuration")
        assert isinstance(told, dict)
        before = told["values"].get(key, "")
        core.call("POST", "/api/configuration", {key: value})
        yield
        core.call("POST", "/api/configuration", {key: before})

    @contextmanager
    def topic_setting(self, topic: str, key: str, value: str, before: str) -> Iterator[None]:
        self.kafka.alter(topic, key, value)
        yield
        self.kafka.alter(topic, key, before)

    @contextmanager
    def documents_lost(self) -> Iterator[None]:
        """Search documents of green that are not there."""
        with sqlite3.connect(self.green.site.store_file, timeout=10) as store:
            store.execute("CREATE TABLE lost AS SELECT * FROM side WHERE type='message_bodies'")
            store.execute("DELETE FROM side WHERE type='message_bodies'")
        yield
        with sqlite3.connect(self.green.site.store_file, timeout=10) as store:
            store.execute("INSERT INTO side SELECT * FROM lost")
            store.execute("DROP TABLE lost")


class Certificates:
    """An authority and certificates for `localhost`, made by openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self.ca = folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
                      "-subj", "/CN=lab authority", "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
        (folder / "names").write_text(f"subjectAltName=DNS:{HOST}\n")

    def make(self, name: str, days: int) -> Path:
        """Key and certificate in one file."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-extfile", "names", "-out", f"{name}.crt")  # fmt: skip
        both = self._folder / f"{name}.pem"
        both.write_bytes(
            (self._folder / f"{name}.key").read_bytes() + (self._folder / f"{name}.crt").read_bytes()
        )
        return both

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True, timeout=30)


@contextmanager
def tls_listener(address: str, port: int, certificate: Path) -> Iterator[int]:
    """A real TLS listener that shakes hands and hangs up; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with listener(address, port) as plain:
        thread = threading.Thread(target=_shake_hands, args=(plain, context), daemon=True)
        thread.start()
        try:
            yield int(plain.getsockname()[1])
        finally:
            with suppress(OSError):
                plain.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@contextmanager
def listener(address: str, port: int) -> Iterator[socket.socket]:
    """A real port that takes connections."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.bind((address, port))
        plain.listen(64)
        yield plain


def _shake_hands(plain: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = plain.accept()
        except OSError:
            return
        with suppress(OSError), connection:
            connection.settimeout(3)
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)


CORE_SAYS = {
    "/api/system/installation/state": b'"CORE_STATE_NOT_INSTALLED"',
    "/api/system/installation/version": b'{"softwareVersion":"5.1.0"}',
}


class Web:
    """A web server whose status and clock can be set; it can play a core that is not installed yet."""

    def __init__(self) -> None:
        web = self
        self.status = 200
        self.ahead = 0.0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = CORE_SAYS.get(self.path, b"")
                self.send_response(web.status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(int((timestamp or time.time()) + web.ahead))

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_lab(folder: Path, kafka_address: str) -> Iterator[Lab]:
    """Everything up and clean, green a clone of blue that has caught up."""
    kafka = Broker(kafka_address)
    wanted = {topics.orphans(IID): 64, topics.domain(IID, DOMAIN): 64, topics.crp(IID): 8}
    for name, count in wanted.items():
        kafka.create_topic(name, count)
    with ExitStack() as stack:
        server = stack.enter_context(parts.running_bucket("minio", folder / "s3"))
        blue_site = make_site(folder, kafka, bucket=server, seed=Seed(domain=DOMAIN, users=6, items=6))
        (blue_site.etc / "bm-core.tok").write_text(TOKENS["blue"])
        green_site = make_site(folder, kafka, name="green", version="5.1", bucket=server)
        (green_site.etc / "mcast.id.clone").write_text(IID.removeprefix("bluemind-"))
        blue = stack.enter_context(running(blue_site))
        green = stack.enter_context(running(green_site))
        blue.call("POST", "/api/configuration", BLUE_SETTINGS)
        web = Web()
        stack.callback(web.close)
        certificates = Certificates(folder / "tls")
        config = _config(
            folder, kafka_address, server, blue=blue, green=green, certificates=certificates, web=web
        )
        s3 = Minio(server.host, server.access_key, server.secret_key, secure=False)
        lab = Lab(folder, kafka, s3, server, blue, green, certificates, web, config)
        lab.versioning(on=True)
        for number in range(3):
            lab.put(f"doc-fs-dir_{DOMAIN}_photos_{number}")
        _clone(lab)
        yield lab


def _clone(lab: Lab) -> None:
    """Green restores itself from blue's own Kafka (replication.mode: shared, BlueMind's own habit)."""
    green = lab.green
    green.call("POST", "/api/system/installation/_initialize")
    request = {
        "sourceInstallationId": IID,
        "targetInstallationId": IID,
        "uidToIpMapping": lab.config.servers,
        "sysconfOverride": GREEN_SETTINGS,
        "mode": "TAIL",
        "cloneWorkers": 2,
    }
    green.call("POST", "/api/system/installation/_clone", request)

    def settled() -> bool:
        told = green.call("GET", "/api/configuration")
        return isinstance(told, dict) and told["values"].get("external_url") == BLUE_SETTINGS["external_url"]

    until(settled, "green's clone has read blue's configuration", 60)


def _config(
    folder: Path,
    kafka: str,
    server: parts.BucketServer,
    *,
    blue: RunningCore,
    green: RunningCore,
    certificates: Certificates,
    web: Web,
) -> Config:
    secrets = folder / "secrets"
    for path in secrets.iterdir():
        path.chmod(0o600)
    (folder / "run").mkdir()

    def site(core: RunningCore, version: str) -> Site:
        return Site(
            url=core.site.url,
            token=Secret(file=str(secrets / f"{core.site.name}.token")),
            version=version,
            kafka=Kafka(bootstrap=kafka),
            installation_id=IID,
            tls=Tls(ca_file=str(certificates.ca)),
            core=Core(stop=["true"], start=["true"], kick=["true"]),
            machines=Machines(core_log=str(core.log)),
        )

    return Config(
        version=1,
        run_dir=str(folder / "run"),
        blue=site(blue, "5.0"),
        green=site(green, "5.1"),
        servers={"bm-master": ADDRESSES["green"]},
        bucket=Bucket(
            endpoint=server.endpoint,
            name=server.bucket,
            access_key=Secret(file=str(secrets / "s3.access")),
            secret_key=Secret(file=str(secrets / "s3.secret")),
        ),
        proxies=[EnvoyNode(name="edge", gate="/nowhere", admin="http://127.0.0.1:9")],
        provision=LocalProvision(directory=str(folder)),
        replication=Replication(mode="shared", sysconf_override=dict(GREEN_SETTINGS)),
        public_links=[f"{web.url}/shared/1"],
    )


def with_frontend(config: Config, port: int) -> Config:
    """The same with one TLS frontend at `localhost`."""
    import msgspec  # noqa: PLC0415 - only this helper needs it

    node = config.proxies[0]
    fronts = Frontends(http=[f"https://{HOST}:{port}"])
    return msgspec.structs.replace(config, proxies=[msgspec.structs.replace(node, frontends=fronts)])
