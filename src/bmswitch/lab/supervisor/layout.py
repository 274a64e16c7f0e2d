"""Where everything of one lab lies; no I/O but the making of folders and private files."""

import os
from pathlib import Path
from typing import Final, Literal

from bmswitch.model.config import Colour

BLUE_ADDRESS: Final = "127.0.1.1"
GREEN_ADDRESS: Final = "127.0.2.1"
SHARED_ADDRESS: Final = "127.0.0.1"
ADDRESSES: Final[dict[Colour, str]] = {"blue": BLUE_ADDRESS, "green": GREEN_ADDRESS}
VERSIONS: Final[dict[Colour, Literal["5.0", "5.1"]]] = {"blue": "5.0", "green": "5.1"}
COLOURS: Final[tuple[Colour, Colour]] = ("blue", "green")
BUCKET: Final = "bluemind"
SERVER_UID: Final = "bm-master"


class Layout:
    """The folder of one lab, absolute, and the names in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.state = self.root / "state.json"
        self.config = self.root / "bmswitch.yaml"
        self.lock = self.root / "lock"
        self.secrets = self.root / "secrets"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.pids = self.root / "pids"
        self.bucket = self.root / "bucket"
        self.proxy = self.root / "proxy"
        self.kafka = self.root / "kafka"
        self.traffic = self.root / "traffic"

    def log(self, part: str) -> Path:
        """Everything that a part printed, over all its starts."""
        return self.logs / f"{part}.log"

    def secret(self, name: str) -> Path:
        """A file of mode 0600: `blue.token`, `s3.access`, ..."""
        return self.secrets / name

    def site(self, colour: Colour) -> Path:
        """Folder of one stand-in installation."""
        return self.root / colour

    def site_file(self, colour: Colour) -> Path:
        """What its core is started with."""
        return self.site(colour) / "site.json"

    def core_pid(self, colour: Colour) -> Path:
        """Written by the core itself."""
        return self.site(colour) / "data" / "core.pid"

    def script(self, colour: Colour, name: str) -> Path:
        """`start-core`, `stop-core` or `kick-sessions`."""
        return self.site(colour) / name

    def make(self) -> None:
        """Creates the folders; what is there stays."""
        for folder in (self.run, self.logs, self.pids, self.bucket, self.proxy, self.kafka, self.traffic):
            folder.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        for colour in COLOURS:
            for name in ("data", "etc"):
                (self.site(colour) / name).mkdir(parents=True, exist_ok=True)


def write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replaces a file in one step, 0600 from its first byte on."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
    ) as stream:
        stream.write(text)
    draft.chmod(mode)
    draft.replace(path)
