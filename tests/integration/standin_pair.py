"""Two stand-in installations, one the native clone of the other, and one proof of them."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tests.integration import core_kit
from tests.integration.clone_kit import create
from tests.integration.core_kit import IID, TOKENS, RunningCore
from tests.integration.parts import BucketServer, running_bucket

from bmswitch.bluemind.bulk import Bulk
from bmswitch.bluemind.client import CloneRequest, Core, wait_task
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.loadlog import load_log
from bmswitch.lab.site import Seed
from bmswitch.model import topics
from bmswitch.model.scope import Scope
from bmswitch.objects.bucket import Bucket
from bmswitch.parity.bodies import Bodies
from bmswitch.workflows.barrier import ensure_barrier, run_barrier
from bmswitch.workflows.proof_files import Outcome
from bmswitch.workflows.verify import Options, Pieces, prove_sites


@dataclass
class Pair:
    """Two running cores; `green_store` is the SQLite file of green."""

    blue: RunningCore
    green: RunningCore
    bucket: BucketServer
    domain: str

    @property
    def green_store(self) -> Path:
        return self.green.site.store_file


@contextmanager
def running_pair(folder: Path, domain: str, dump: Path | None = None) -> Iterator[Pair]:
    """Blue from a seed, or from a real log with its bodies; green is cloned from blue's log."""
    with EmbeddedKafka() as kafka, running_bucket("rclone", folder / "s3") as bucket:
        blue_site = core_kit.make_site(folder, kafka, bucket=bucket)
        if dump is None:
            core_kit.create_topics(kafka)
            blue_site = msgspec.structs.replace(blue_site, seed=Seed(domain=domain, users=4, items=20))
        else:
            load_log(dump, IID, kafka.bootstrap, create(kafka), blue_site.s3)
            kafka.create_topic(topics.crp(IID), 8)
            blue_site = msgspec.structs.replace(blue_site, log=str(dump))
        green_site = core_kit.make_site(folder, kafka, name="green", version="5.1", bucket=bucket)
        green_site.mcast_id_clone.write_text(IID.removeprefix("bluemind-"))
        green_site.clone_marker.touch()
        with core_kit.running(blue_site) as blue, core_kit.running(green_site) as green:
            first, second = client_of(blue), client_of(green)
            ensure_barrier(first, [domain])
            core_kit.derive_crp(kafka, domain)
            wait_task(second, second.initialize(), timeout=30)
            second.clone(
                CloneRequest(
                    source_installation_id=IID,
                    target_installation_id=IID,
                    uid_to_ip_mapping={"bm-master": green_site.address},
                )
            )
            core_kit.until(lambda: domain in second.domains(), "green has the domain")
            run_barrier(first, second, [domain], timeout=60)
            made = Pair(blue, green, bucket, domain)
            keep_uid_validity(made)
            yield made
            first.close()
            second.close()


def keep_uid_validity(pair: Pair) -> None:
    """What the cure `uidvalidity` does in the mirror, which this pair goes without: folders keep blue's value."""
    folders = "type = 'replicated_mailboxes'"
    with closing(sqlite3.connect(pair.blue.site.store_file, timeout=10)) as db:
        mine = f"SELECT uid, json_extract(value, '$.uidValidity') FROM items WHERE container IN (SELECT id FROM containers WHERE {folders})"  # noqa: S608
        wanted = db.execute(mine).fetchall()
    statement = "UPDATE items SET value = CAST(json_set(value, '$.uidValidity', ?) AS BLOB) WHERE uid = ?"
    with closing(sqlite3.connect(pair.green_store, timeout=10)) as db, db:
        db.executemany(statement, [(number, uid) for uid, number in wanted])


def client_of(core: RunningCore) -> Core:
    """REST of one side."""
    return Core(core.site.url, TOKENS[core.site.name], name=core.site.name, timeout=20)


def open_bucket(pair: Pair) -> Bucket:
    """The bucket that both share."""
    server = pair.bucket
    return Bucket(server.endpoint, server.bucket, server.access_key, server.secret_key)


class EveryBody:
    """A bucket that has them all, for a proof that is about something else."""

    def missing(self, guids: Iterable[str]) -> set[str]:  # noqa: ARG002 -- as the real one
        return set()

    def verify_body(self, guid: str) -> bool:  # noqa: ARG002 -- the same
        return True


def prove(
    pair: Pair,
    *,
    scope: Scope | None = None,
    bodies: int = 5,
    barrier: Callable[[], object] | None = None,
    store: EveryBody | None = None,
) -> Outcome:
    """One proof; without a `barrier` of the test's own the real one is waited for."""
    first, second = client_of(pair.blue), client_of(pair.green)
    bucket = open_bucket(pair)
    pieces = Pieces(
        source=lambda: Bulk(pair.blue.site.url, TOKENS["blue"], name="blue"),
        target=lambda: Bulk(pair.green.site.url, TOKENS["green"], name="green"),
        domains=[pair.domain],
        versions=("5.0", "5.1"),
        position=dict,
        barrier=barrier or (lambda: run_barrier(first, second, [pair.domain], timeout=30)),
        bodies=Bodies(store or bucket, sample=bodies),
    )
    try:
        return prove_sites(pieces, "plan", Options(scope=scope or Scope()), lambda _: None)
    finally:
        first.close()
        second.close()
        bucket.close()
