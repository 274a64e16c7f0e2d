"""What one stand-in installation is started with, and where its files lie.

`site.json` (0600) is written by the lab's supervisor and read by the stand-in core, its IMAP and SMTP fronts and the
clone. The `etc_dir` stands in for `/etc/bm` (clone-and-api.md 1.1): the properties below name its files.
"""

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.lab.defects import NAMES
from bmswitch.model.errors import LabError

DEFECTS = NAMES
Version = Literal["5.0", "5.1"]


class S3(msgspec.Struct, frozen=True, kw_only=True):
    """The shared bucket of mail bodies; the key files hold one line each (0600)."""

    endpoint: str
    access_key_file: str
    secret_key_file: str
    bucket: str = "bluemind"
    region: str = "us-east-1"


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """What an empty store is filled with: `users` people with `items` items each, the same for the same `number`."""

    domain: str = "lab.test"
    users: int = 10
    items: int = 20
    number: int = 1


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """One stand-in installation (`site.json`).

    `seed` fills an empty store, `log` (a folder of dump files) restores it from a dump; both null: it starts empty.
    `token_file` is where the admin token is kept for the operator; empty: `secrets/<name>.token` beside the site's folder.
    `heartbeat` is the period of the id-sequence record in seconds (change-log.md 8.4: 60 s). `latch` is the file that stands for
    ZooKeeper's leader node where two installations share one Kafka; empty: nobody else could lead.
    """

    name: str
    version: Version
    installation_id: str
    server_uid: str = "bm-master"
    address: str
    http_port: int
    imap_port: int = 0
    smtp_port: int = 0
    kafka_bootstrap: str
    data_dir: str
    etc_dir: str
    s3: S3 | None = None
    seed: Seed | None = None
    log: str | None = None
    defects: list[str] = []
    token_file: str = ""
    heartbeat: float = 60.0
    latch: str = ""

    @property
    def url(self) -> str:
        """Base address of the REST API."""
        return f"http://{self.address}:{self.http_port}"

    @property
    def produced_by(self) -> str:
        """What this version writes into `producedBy`: `5.0.0` or `5.1.0`."""
        return f"{self.version}.0"

    @property
    def data(self) -> Path:
        """Folder of the store."""
        return Path(self.data_dir)

    @property
    def etc(self) -> Path:
        """Stand-in of `/etc/bm`."""
        return Path(self.etc_dir)

    @property
    def store_file(self) -> Path:
        """The SQLite file of everything that can change."""
        return self.data / "core.sqlite"

    @property
    def pid_file(self) -> Path:
        """Holds the process id while the core runs."""
        return self.data / "core.pid"

    @property
    def kick_file(self) -> Path:
        """Which kept sessions SIGUSR1 ends: `imap 100`; all when there is no such file."""
        return self.data / "kick"

    @property
    def token_path(self) -> Path:
        """`bm-core.tok`: the admin token; absent means not installed."""
        return self.etc / "bm-core.tok"

    @property
    def mcast_id(self) -> Path:
        """`mcast.id`: the installation's UUID, without newline."""
        return self.etc / "mcast.id"

    @property
    def mcast_id_clone(self) -> Path:
        """`mcast.id.clone`: the id to adopt at `_initialize`; its presence makes the core enter CLONING."""
        return self.etc / "mcast.id.clone"

    @property
    def clone_marker(self) -> Path:
        """`continuous.clone`: this node is a clone; nothing is published, no election; removed by promotion."""
        return self.etc / "continuous.clone"

    @property
    def fork_marker(self) -> Path:
        """`continuous.fork`: a clone that may publish."""
        return self.etc / "continuous.fork"

    @property
    def clone_state(self) -> Path:
        """`clone.state.json`: topic to resume token (change-log.md 8.5)."""
        return self.etc / "clone.state.json"

    @property
    def disabled(self) -> Path:
        """`bm-core.disabled`: written at demotion, refuses every later start."""
        return self.etc / "bm-core.disabled"

    @property
    def operator_token(self) -> Path:
        """Where the operator finds the token: `token_file` or `secrets/<name>.token`."""
        if self.token_file:
            return Path(self.token_file)
        return self.etc.resolve().parent.parent / "secrets" / f"{self.name}.token"

    def defect(self, name: str) -> bool:
        """Whether this documented defect is switched on now: in `defects`, or a line of the file `<etc_dir>/defects`."""
        if name not in DEFECTS:
            msg = f"no such defect: {name}"
            raise ValueError(msg)
        with contextlib.suppress(FileNotFoundError):
            if name in (self.etc / "defects").read_text().split():
                return True
        return name in self.defects


def load_site(path: str | Path) -> StandIn:
    """Read `site.json`. Errors: LabError naming file and field."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=StandIn)
    except (OSError, msgspec.MsgspecError) as error:
        raise LabError("the stand-in's site file can not be used", evidence=f"{path}: {error}") from error


def save_site(site: StandIn, path: str | Path) -> None:
    """Write `site.json`, readable by its owner only."""
    write_private(Path(path), msgspec.json.format(msgspec.json.encode(site)))


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
