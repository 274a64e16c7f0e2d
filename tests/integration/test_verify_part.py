"""A part of the proof, and a proof that is gone on with after a kill."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from tests.integration.verify_core import FakeCore, small_installation, two_cores
from tests.integration.verify_kit import D, prove

from bmswitch.model.errors import RefusedError
from bmswitch.model.scope import Scope, parse_scope
from bmswitch.workflows import verify_pass
from bmswitch.workflows.proof_files import load_proof, save


def owners_read(core: FakeCore) -> set[str]:
    """Entries whose side data was read."""
    return {call.split("/")[-2] for call in core.calls if call.startswith("GET") and call.endswith("/roles")}


def test_one_user_only_is_read_when_asked_for() -> None:
    held = small_installation()
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green, scope=parse_scope([f"user:u1@{D}"], 1.0, ""))
        assert owners_read(blue) == {"u1"}
    assert outcome.proof.verdict == "equal"
    assert outcome.proof.dimensions["directory"].items == 1
    assert any(what.startswith(f"everything but user u1@{D}") for what in outcome.proof.not_proved)


def test_one_container_only_is_read_without_looking_through_the_others() -> None:
    held = small_installation()
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green, scope=parse_scope(["container:notes:default_u1"], 1.0, ""))
        assert [call for call in blue.calls if "_listLight" in call] == [
            "POST /api/containers/_manage/_listLight"
        ]
    assert outcome.proof.containers == 1
    assert list(outcome.proof.dimensions) == ["access and settings", "notes"]


def test_one_dimension_only_is_read() -> None:
    held = small_installation()
    changed = held.clone()
    changed.items["notes:default_u1"]["n/1"]["version"] = 9
    changed.items["tags_u1"]["red"]["version"] = 9
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green, scope=parse_scope(["dimension:notes"], 1.0, ""))
    assert [one.type for one in outcome.differences] == ["notes"]
    assert list(outcome.proof.dimensions) == ["notes"]


def test_a_user_that_green_lacks_is_a_difference_when_only_he_is_read() -> None:
    held = small_installation()
    changed = held.clone()
    del changed.entries[D]["u1"]
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green, scope=parse_scope(["user:u1"], 1.0, ""))
    assert [(one.type, one.item) for one in outcome.differences] == [("dir", "u1")]


def test_what_fits_nothing_is_an_error_and_never_equal() -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green), pytest.raises(RefusedError, match="fits"):
        prove(blue, green, scope=parse_scope(["dimension:nothing"], 1.0, ""))


def test_a_sample_reads_the_same_entries_for_the_same_seed() -> None:
    held = small_installation(40)
    with two_cores(held, held.clone()) as (blue, green):
        prove(blue, green, scope=Scope(sample=0.2, seed="a"))
        first = owners_read(blue)
        blue.calls.clear()
        outcome = prove(blue, green, scope=Scope(sample=0.2, seed="a"))
        assert owners_read(blue) == first
    assert 0 < len(first) < 25
    assert "20.00%" in outcome.proof.scope


def test_a_proof_of_a_part_never_stands_for_the_whole(tmp_path: Path) -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green):
        save(tmp_path, prove(blue, green, scope=Scope(users=frozenset({"u0"}))))
    assert load_proof(tmp_path) is None
    assert (tmp_path / "part-proof.json").exists()


def run(blue: str, green: str, kept: Path) -> None:
    """A proof in a process of its own, slow enough to be killed."""
    verify_pass._COMMIT_EVERY = 0.0
    verify_pass._LOOK_EVERY = 0.01
    cores = []
    for url in (blue, green):
        core = FakeCore(small_installation(1))
        core.url = url
        cores.append(core)
    prove(cores[0], cores[1], kept=kept, concurrency=1)


def test_after_a_kill_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    held, kept = small_installation(12), tmp_path / "verify.progress"
    changed = held.clone()
    changed.items["notes:default_u1"]["n/1"]["version"] = 9
    with two_cores(held, changed) as (blue, green):
        mirror = blue.hook

        def slow(method: str, path: str, body: object) -> None:
            mirror(method, path, body)
            if path.endswith("/roles"):
                time.sleep(0.05)

        blue.hook = slow
        process = multiprocessing.get_context("spawn").Process(target=run, args=(blue.url, green.url, kept))
        process.start()
        deadline = time.monotonic() + 20
        while not (kept.exists() and kept.read_bytes().count(b'"tallies"') >= 4):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        blue.hook = mirror
        blue.calls.clear()
        outcome = prove(blue, green, kept=kept)
        again = owners_read(blue)
    assert len(again) <= 10
    assert outcome.proof.items == 14 * 12
    assert [one.item for one in outcome.differences] == ["n/1"]
    assert outcome.proof.verdict == "different"
    assert not kept.exists()


def test_a_kept_proof_of_another_plan_or_a_shorter_log_is_read_again(tmp_path: Path) -> None:
    held, kept = small_installation(2), tmp_path / "verify.progress"
    kept.write_bytes(b'{"plan_id":"other"} 00000000\n')
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green, kept=kept)
        assert owners_read(blue) >= {"u0", "u1"}
    assert outcome.proof.verdict == "equal"
