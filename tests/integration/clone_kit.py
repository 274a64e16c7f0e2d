"""A dump in an embedded Kafka, and stores restored from it: what tests of the clone share."""

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.loadlog import Loaded, load_log
from bmswitch.lab.restore.clone import CloneRequest, CloneTask, Outcome
from bmswitch.lab.site import StandIn
from bmswitch.lab.store import Store
from bmswitch.model import topics

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
DOMAIN = "f8de2c4a.internal"
DEFAULT = Path(__file__).parents[2] / "../shared/data/bluemind-dump"
DUMP = Path(os.environ.get("BMSWITCH_REAL_LOG") or DEFAULT)
SIDE_TYPES = (
    "memberships", "role", "ou-roles", "mailfilters", "userMailIdentities", "resourceTypes", "mapi_artifacts", "message_bodies",
)  # fmt: skip
Facts = dict[tuple[str, str, str], Any]
Line = dict[str, Any]


def until(condition: Callable[[], bool], what: str, limit: float = 20.0) -> None:
    """Wait for a condition; fails the test at the limit."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.002)


def create(kafka: EmbeddedKafka) -> Callable[[dict[str, int]], None]:
    """`create_topics` of `load_log`."""

    def create_all(wanted: dict[str, int]) -> None:
        for name, partitions in wanted.items():
            kafka.create_topic(name, partitions)

    return create_all


def read_lines(name: str, folder: Path = DUMP) -> list[Line]:
    """A dump file's lines."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(folder: Path, name: str, lines: Iterable[Line]) -> None:
    """A dump file of our own."""
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


@dataclass
class Lab:
    """A Kafka with a log in it, and the folder of one stand-in."""

    kafka: EmbeddedKafka
    folder: Path
    defects: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def site(self) -> StandIn:
        """The site that reads this Kafka."""
        for name in ("data", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return StandIn(
            name="green",
            version="5.1",
            installation_id=IID,
            address="127.0.2.1",
            http_port=1,
            kafka_bootstrap=self.kafka.bootstrap,
            data_dir=str(self.folder / "data"),
            etc_dir=str(self.folder / "etc"),
            defects=self.defects,
        )

    def load(self, dump: Path = DUMP) -> Loaded:
        """Load a dump and give it the proxy's directory topic."""
        loaded = load_log(dump, IID, self.kafka.bootstrap, create(self.kafka))
        self.kafka.create_topic(topics.crp(IID), 8)
        entries = [line for line in read_lines(DOMAIN, dump) if line["key"]["type"] in {"dir", "memberships"}]
        self.produce(topics.crp(IID), [line | {"partition": 6} for line in entries])
        return loaded

    def produce(self, topic: str, lines: Iterable[Line]) -> None:
        """Send records and wait for them to be taken."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0, "linger.ms": 0})
        for line in lines:
            value = None if line["value"] is None else compact(line["value"])
            producer.produce(topic, value, compact(line["key"]), partition=line["partition"])
        assert producer.flush(10) == 0


def compact(value: object) -> bytes:
    """JSON as BlueMind writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Running:
    """A clone in a thread. `promote` plays `_promote`: the core is RUNNING from then on."""

    def __init__(self, lab: Lab, store: Store, **request: Any) -> None:
        self._running = threading.Event()
        self.outcome: Outcome | None = None
        wanted = {"mode": "TAIL", "uid_to_ip_mapping": {"bm-master": "127.0.2.1"}} | request
        self.task = CloneTask(
            lab.site,
            store,
            CloneRequest(source_installation_id=IID, **wanted),
            running=self._running.is_set,
            log=lab.log.append,
        )
        self._log = lab.log
        self._from = len(lab.log)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.outcome = self.task.run()

    def caught_up(self) -> "Running":
        """Wait until the domain's topic starved."""
        until(
            lambda: (
                any("RECORD STARVATION" in line for line in self._log[self._from :])
                or not self._thread.is_alive()
            ),
            "catch-up",
        )
        assert self._thread.is_alive(), "\n".join(self._log[-5:])
        return self

    def promote(self) -> Outcome:
        """The core runs; returns how the task ended."""
        self._running.set()
        return self.ended()

    def ended(self) -> Outcome:
        """Wait for the task's end."""
        self._thread.join(20)
        assert self.outcome is not None
        return self.outcome


def held(store: Store) -> Facts:
    """(type, container or owner, uid) -> [id, value] of items, value of side data, [owner, acl, settings] of containers."""
    facts: Facts = {}
    for container in store.containers():
        acl = sorted((ace.subject, ace.verb) for ace in container.acls)
        facts["container", container.type, container.uid] = [container.owner, acl, container.settings]
        for item in store.items(container.uid):
            facts[container.type, container.uid, item.uid] = [item.id, json.loads(item.value)]
    for kind in (*SIDE_TYPES, "user_settings", "domain_settings", "sysconf", "job_plans"):
        for side in store.sides(kind):
            facts[kind, side.owner, side.uid] = json.loads(side.value)
    return facts


def in_a_clone(facts: Facts, placeholders: set[str]) -> Facts:
    """What BlueMind's clone does not keep is replaced by what can be compared (clone-and-api.md 3.3, 3.4)."""
    seen = json.loads(json.dumps([[list(key), value] for key, value in facts.items()]))
    result: Facts = {(key[0], key[1], key[2]): value for key, value in seen}
    for (kind, _, uid), value in result.items():
        if kind == "webappdata" or uid in placeholders:
            value[0] = "green's own id"
        if kind == "dir" and value[1].get("entry", {}).get("kind") == "RESOURCE":
            value[0] = "green's own id"
        if kind == "dir" and value[1].get("entry", {}).get("kind") == "USER":
            value[1]["value"] |= {"mailboxCopyGuid": "new", "passwordLastChange": "now"}
        if kind == "replicated_mailboxes":
            value[1]["uidValidity"] = "green's, or blue's after an update"
        if kind == "installation":
            value[1]["ip"] = "mapped"
    return result


def placeholders(log: list[str]) -> set[str]:
    """Org units that a clone invented."""
    return {
        line.removeprefix("Placeholder OrgUnit ") for line in log if line.startswith("Placeholder OrgUnit ")
    }


def differences(actual: Facts, wanted: Facts) -> list[str]:
    """What is missing, too much or not the same; empty when both are equal."""
    wrong = [f"missing {key}" for key in wanted.keys() - actual.keys()]
    wrong += [f"too much {key}" for key in actual.keys() - wanted.keys()]
    both = actual.keys() & wanted.keys()
    wrong += [f"{key}: {actual[key]} != {wanted[key]}" for key in both if actual[key] != wanted[key]]
    return sorted(wrong)
