"""Runs one mirror as a process of its own until it is killed: `python mirror_run.py RUN_DIR BLUE GREEN PLAN_ID [fold]`."""

import signal
import sys
import threading
import time

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.plan import SCHEMA, Plan
from bmswitch.workflows.mirroring import Mirroring

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"


def config_for(
    run_dir: str, blue: str, green: str, servers: dict[str, str] | None = None, *, fold: bool = False
) -> Config:
    """A configuration of which only the two Kafkas, the servers and the run folder are real."""
    site = {"url": "http://127.0.0.1:9", "token": {"env": "X"}, "version": "5.0"}
    return msgspec.convert(
        {
            "version": 1,
            "run_dir": run_dir,
            "blue": site | {"kafka": {"bootstrap": blue}},
            "green": site | {"kafka": {"bootstrap": green}},
            "replication": {"fold": fold},
            "servers": {"bm-master": "127.0.2.1"} if servers is None else servers,
            "bucket": {
                "endpoint": "http://127.0.0.1:9",
                "name": "b",
                "access_key": {"env": "X"},
                "secret_key": {"env": "X"},
            },
            "proxies": [
                {"driver": "envoy", "name": "p", "gate": "g", "admin": "http://127.0.0.1:9", "clusters": []}
            ],
            "provision": {"driver": "local", "directory": "lab"},
        },
        Config,
    )


def plan_for(plan_id: str) -> Plan:
    """A plan of which only the id and blue's installation are read by the mirror."""
    side = {
        "url": "",
        "version": "5.0",
        "installation_id": IID,
        "domains": [],
        "servers": {},
        "topics": {},
        "kafka_cluster_id": "",
    }
    return msgspec.convert(
        {
            "schema": SCHEMA,
            "serving": "blue",
            "id": plan_id,
            "created_at": "",
            "config_hash": "",
            "source": side,
            "target": side,
            "volume": {"records": {}, "entries": {}, "bodies": 0},
            "steps": [],
            "findings": [],
        },
        Plan,
    )


def main(run_dir: str, blue: str, green: str, plan_id: str, fold: str = "") -> None:
    """Mirrors until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    mirroring = Mirroring(config_for(run_dir, blue, green, fold=bool(fold)), plan_for(plan_id), lambda: True)
    deadline = time.monotonic() + 100
    while not stop.wait(0.02) and time.monotonic() < deadline:
        mirroring.check()
    mirroring.stop()


if __name__ == "__main__":
    main(*sys.argv[1:6])
