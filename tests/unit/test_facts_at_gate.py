"""What the gate gathers: how old the copy's sign of life is does not depend on how long the rest takes."""

import time
from pathlib import Path

import msgspec
import pytest
from tests.unit.guard_worlds import GOOD, STATUS, SWITCH
from tests.unit.test_plan import CONFIG, PLAN

from bmswitch.model.guards.replicate_runs import FRESH
from bmswitch.replication.state import write_status
from bmswitch.workflows import facts as gathering


def test_a_living_copy_is_fresh_however_slow_the_other_looks_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slow bucket or a slow core took longer than `FRESH` after the status was read: the switch was refused for nothing."""
    now = 1_700_000_000.0

    def beat() -> None:
        write_status(tmp_path, msgspec.structs.replace(STATUS, updated_at=now))

    def slow(*_: object, **__: object) -> object:
        nonlocal now
        now += 2 * FRESH
        beat()
        return GOOD

    beat()
    monkeypatch.setattr(gathering, "switch_facts", lambda *_, **__: SWITCH)
    monkeypatch.setattr(gathering, "_common", slow)
    monkeypatch.setattr(time, "time", lambda: now)
    config = msgspec.structs.replace(CONFIG, run_dir=str(tmp_path))
    found = gathering.at_gate(config, PLAN, nodes=[], orphans=list)
    assert found.at_gate.status is not None
    assert found.now - found.at_gate.status.updated_at < FRESH
