"""What the gate must not forget is on the disk before anything follows from it."""

import asyncio
import os
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bmswitch.proxy.envoy_files import STATE, GateState
from bmswitch.proxy.envoy_render import render_envoy
from bmswitch.proxy.files import wall_ms
from bmswitch.proxy.gate import FlipOrder, Gate, HoldOrder, ReleaseOrder
from bmswitch.proxy.gate_files import GateFiles
from bmswitch.proxy.layout import Backends, Listener

BACKENDS: Backends = {"blue": {"http": "127.0.1.1:80"}, "green": {"http": "127.0.2.1:80"}}


class Disk:
    """What would be left after a power cut: the state as it was when file and folder were last waited for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._waited: GateState | None = None
        self.state: GateState | None = None
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, descriptor: int) -> None:
        seen = Path(f"/proc/self/fd/{descriptor}").resolve()
        if seen == self._folder:
            named = (self._folder / STATE).read_bytes()
            if self._waited == msgspec.json.decode(named, type=GateState):
                self.state = self._waited
        elif STATE in seen.name:
            self._waited = msgspec.json.decode(seen.read_bytes(), type=GateState)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Without Envoy and understudy: whatever it orders is seen at once."""
    render_envoy(tmp_path, [Listener("http", "127.0.0.1:1")], BACKENDS, admin="127.0.0.1:2")

    async def seen(*_: object) -> None:
        """At once."""

    monkeypatch.setattr(Gate, "_seen", seen)
    monkeypatch.setattr(Gate, "_ensure_understudy", lambda _: None)
    return Gate(GateFiles(tmp_path), cast("Any", None))


def test_a_power_cut_forgets_neither_the_newest_fence_nor_the_colour(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, monkeypatch)

    async def scenario() -> list[tuple[str, int]]:
        left: list[tuple[str, int]] = []
        for work in (
            gate.hold(HoldOrder(wall_ms() + 2000, 7)),
            gate.flip(FlipOrder("green", 8)),
            gate.release(ReleaseOrder(9)),
        ):
            await work
            assert disk.state is not None
            left.append((disk.state.colour, disk.state.fence))
        return left

    assert asyncio.run(scenario()) == [("blue", 7), ("green", 8), ("green", 9)]


def test_a_renewal_waits_for_no_disk(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> int:
        await gate.hold(HoldOrder(wall_ms() + 2000, 7))
        disk = Disk(tmp_path, monkeypatch)
        until = wall_ms() + 4000
        await gate.hold(HoldOrder(until, 7))
        assert disk.state is None
        assert gate.answer().hold_until_ms == until
        await gate.hold(HoldOrder(until - 3000, 7))
        return gate.answer().hold_until_ms - until

    assert asyncio.run(scenario()) == 0
