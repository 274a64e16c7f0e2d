"""A stand-in core without Kafka and bucket: what it would have written to the log is kept in a list."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bmswitch.lab.publisher import Publisher
from bmswitch.lab.services.bodies import MemoryBodies
from bmswitch.lab.services.core_services import Services
from bmswitch.lab.site import Seed, StandIn, Version
from bmswitch.lab.store import Store
from bmswitch.model.partition import partition_of
from bmswitch.model.records import Envelope, RecordKey, decode_envelope, decode_key

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
DOMAIN = "lab.test"


@dataclass(frozen=True)
class Written:
    """One record as it would be on the wire."""

    domain: str
    raw_key: bytes
    partition: int
    value: bytes | None

    @property
    def key(self) -> RecordKey:
        return decode_key(self.raw_key)

    @property
    def envelope(self) -> Envelope:
        assert self.value is not None
        return decode_envelope(self.value)

    @property
    def short(self) -> str:
        """`type OPERATION item-uid`."""
        uid = msgspec.json.decode(self.value)["uid"] if self.value is not None else "null"
        return f"{self.key.type} {self.key.operation} {uid}"


class Recording(Publisher):
    """Keeps what it should send."""

    def __init__(
        self,
        bootstrap: str,
        installation_id: Callable[[], str],
        allowed: Callable[[], bool],
        *,
        tombstones: bool,
    ) -> None:
        super().__init__(bootstrap, installation_id, allowed, tombstones=tombstones)
        self.written: list[Written] = []

    def _send(self, domain: str, key: bytes, token: str, value: bytes | None) -> None:
        self.written.append(Written(domain, key, partition_of(token), value))


class Lab:
    """Services with their log."""

    def __init__(self, path: Path, version: Version = "5.0", *, seed: Seed | None = None) -> None:
        self.site = StandIn(
            name="blue",
            version=version,
            installation_id=IID,
            address="127.0.0.1",
            http_port=0,
            kafka_bootstrap="127.0.0.1:1",
            data_dir=str(path / "data"),
            etc_dir=str(path / "etc"),
            token_file=str(path / "token"),
            seed=seed,
        )
        self.bodies = MemoryBodies()
        self.services = Services(self.site, Store(":memory:"), self.bodies, publisher=Recording)
        self.services.installation.write_token()
        self.services.state.leader = True

    @property
    def log(self) -> list[Written]:
        publisher = self.services.publisher
        assert isinstance(publisher, Recording)
        return publisher.written

    def start(self, users: int = 1, items: int = 0) -> "Lab":
        """Seed and go RUNNING."""
        from bmswitch.lab.seed import seed  # noqa: PLC0415 - only some tests need it

        asyncio.run(seed(self.services, Seed(domain=DOMAIN, users=users, items=items)))
        self.services.installation.start()
        return self

    def since(self, mark: int) -> list[str]:
        """What was logged after `mark` records, in short."""
        return [written.short for written in self.log[mark:]]
