"""What people decide about a plan: skips and approvals, what makes them void, and what may never be skipped."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.guard_worlds import PROOF, gate, target
from tests.unit.test_plan import CONFIG, PLAN

from bmswitch.model.accepting import counted_names, refused, types_of, unavoidable
from bmswitch.model.decisions import Accepted, Approval, Skip
from bmswitch.model.differences import ORG_UNIT_ID, Place, difference
from bmswitch.model.errors import PlanError, RefusedError, StalePlanError
from bmswitch.model.estimates import Estimate
from bmswitch.model.guards import GUARDS, ask, refusals
from bmswitch.model.guards.skipping import NEVER
from bmswitch.model.plan import Finding, Level, Plan, Step, approved
from bmswitch.workflows.config import config_hash
from bmswitch.workflows.plan import keep_previous, load_plan, refuse_stops, save_plan
from bmswitch.workflows.plan_decide import (
    accept,
    add_skips,
    approve,
    askable,
    skips_of,
    unproven_version_allowed,
)
from bmswitch.workflows.plan_parts import config_parts, part_changes

STOP = Finding(guard="clocks_agree", level=Level.stop, cause="clocks disagree")
SKIP = Skip(guard="clocks_agree", reason="measured by hand", who="alice", at="2026-01-01T00:00:00+00:00")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "run" / "plan.json"
    save_plan(PLAN, file)
    return file


def test_an_approval_is_of_exactly_one_plan(path: Path) -> None:
    plan = approve(CONFIG, path, "bob")
    assert [(one.who, one.of) for one in load_plan(CONFIG, path).standing] == [("bob", PLAN.digest)]
    assert plan.digest == PLAN.digest
    changed = msgspec.structs.replace(plan, volume=msgspec.structs.replace(plan.volume, bodies=1))
    assert changed.standing == []
    assert approved(changed, 1).level is Level.stop
    assert "1 more are void" in approved(changed, 1).evidence


def test_the_digest_that_is_told_is_that_of_the_file(path: Path) -> None:
    whole = Step(
        command="verify",
        does="",
        clients="",
        undone_by="",
        estimate=Estimate(low=1, likely=2, high=3, how="whole numbers"),
    )
    made = msgspec.structs.replace(PLAN, steps=[whole])
    save_plan(made, path)
    assert load_plan(CONFIG, path).digest == made.digest


def test_one_person_counts_once(path: Path) -> None:
    approve(CONFIG, path, "bob")
    with pytest.raises(RefusedError, match="bob has approved this plan already"):
        approve(CONFIG, path, " bob ")
    twice = [Approval(who="bob", at=at, of=PLAN.digest) for at in ("a", "b")]
    assert approved(msgspec.structs.replace(PLAN, approvals=twice), 2).forbids
    approve(CONFIG, path, "carol")
    assert not approved(load_plan(CONFIG, path), 2).forbids


def test_no_approval_is_asked_for_by_default() -> None:
    assert CONFIG.plan.approvals_needed == 0
    assert not approved(PLAN, 0).forbids
    assert approved(PLAN, 1).forbids


def test_a_plan_that_says_stop_is_not_approved(path: Path) -> None:
    save_plan(msgspec.structs.replace(PLAN, findings=[STOP]), path)
    with pytest.raises(PlanError, match="the plan says stop: clocks disagree"):
        approve(CONFIG, path, "bob")


def test_a_skip_lets_the_run_go_on_and_ends_the_approvals(path: Path) -> None:
    save_plan(msgspec.structs.replace(PLAN, findings=[STOP]), path)
    plan = add_skips(CONFIG, path, skips_of(["clocks_agree"], ["measured by hand"], "alice"))
    assert plan.id == PLAN.id
    refuse_stops(plan)
    assert "alice" in plan.findings[0].skipped
    assert "measured by hand" in plan.findings[0].skipped
    assert plan.findings[0].level is Level.stop
    approve(CONFIG, path, "bob")
    after = add_skips(CONFIG, path, skips_of(["frontends"], ["no route from here"], "alice"))
    assert (len(after.approvals), after.standing) == (1, [])


def test_the_gate_honours_a_skip_of_the_plan() -> None:
    world = gate(frontend_faults=["edge-1: no answer"])
    assert [one.guard for one in refusals(ask(world, "gate"))] == ["frontends"]
    skip = msgspec.structs.replace(SKIP, guard="frontends")
    told = {one.guard: one for one in ask(world, "gate", [skip])}
    assert refusals(list(told.values())) == []
    assert told["frontends"].level is Level.stop
    assert "measured by hand" in told["frontends"].skipped


def test_a_skip_that_is_not_allowed_is_none_even_in_an_edited_file() -> None:
    world = target(state="CORE_STATE_RUNNING")
    for skip in (
        msgspec.structs.replace(SKIP, guard="target_is_free"),
        msgspec.structs.replace(SKIP, guard="target_is_free", reason=""),
    ):
        assert [one.guard for one in refusals(ask(world, "plan", [skip]))] == ["target_is_free"]
    nameless = msgspec.structs.replace(SKIP, guard="frontends", who="")
    assert refusals(ask(gate(frontend_faults=["x"]), "gate", [nameless]))


@pytest.mark.parametrize("name", sorted(NEVER))
def test_some_guards_are_never_skipped(name: str) -> None:
    assert name in {guard.name for guard in GUARDS}
    with pytest.raises(RefusedError, match="is never skipped") as caught:
        skips_of([name], ["because"], "alice")
    assert caught.value.evidence == NEVER[name]


@pytest.mark.parametrize(
    ("names", "reasons", "who", "said"),
    [
        (["clock_agree"], ["x"], "alice", "there is no guard clock_agree"),
        (["clocks_agree"], [], "alice", "by reason and name only"),
        (["clocks_agree"], ["  "], "alice", "by reason and name only"),
        (["clocks_agree"], ["x"], "", "by reason and name only"),
        (["clocks_agree", "frontends"], ["x"], "alice", "by reason and name only"),
    ],
)
def test_a_skip_needs_a_guard_a_reason_and_a_name(
    names: list[str], reasons: list[str], who: str, said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        skips_of(names, reasons, who)


def test_only_guards_that_plan_asks_can_be_asked_alone() -> None:
    assert askable(["clocks_agree"]) == ["clocks_agree"]
    with pytest.raises(RefusedError, match="asked at the switch only"):
        askable(["proof"])
    assert [one.guard for one in ask(gate(), "plan", only=["clocks_agree"])] == ["clocks_agree"]


def test_differences_are_accepted_by_name_and_as_many_as_the_proof_has_found(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, run_dir=str(tmp_path))
    path = tmp_path / "plan.json"
    save_plan(msgspec.structs.replace(PLAN, config_hash=config_hash(config)), path)
    with pytest.raises(RefusedError, match="has found no difference calendar/main"):
        accept(config, None, ["calendar/main.summary"], "edited", "alice")
    proof = msgspec.structs.replace(PROOF, names={"calendar/main.summary": 2})
    (tmp_path / "proof.json").write_bytes(msgspec.json.encode(proof))
    approve(config, None, "bob")
    plan = accept(config, None, ["calendar/main.summary", "org-unit-own-id"], "edited", "alice")
    assert [(one.name, one.who, one.at_most) for one in plan.accepted] == [
        ("calendar/main.summary", "alice", 2),
        ("org-unit-own-id", "alice", -1),
    ]
    assert plan.standing == []
    with pytest.raises(RefusedError, match="by reason and name only"):
        accept(config, None, ["org-unit-own-id"], " ", "alice")


def test_a_difference_has_a_name_and_any_that_is_not_accepted_is_refused() -> None:
    place = Place("a.test", "u", "calendar:u", "calendar")
    gone = difference(place, "e1", "source", "missing")
    other = difference(place, "e2", "both", "main.summary", source="a", target="b")
    unit = difference(
        Place("a.test", "system", "a.test", "dir"), "o", "both", ORG_UNIT_ID, source=1, target=2_000_000
    )
    found = [gone, other, unit]
    assert counted_names(found) == {
        "calendar/missing, only on source": 1,
        "calendar/main.summary": 1,
        "org-unit-own-id": 1,
    }
    ours = unavoidable("")
    assert refused(found, ours) == [gone, other]
    assert refused(found, []) == found
    most = Accepted(name="calendar/main.summary", reason="r", who="alice", at="", at_most=1)
    assert refused(found, [*ours, most]) == [gone]
    assert refused([other, other], [most]) == [other, other]
    assert refused([other], [msgspec.structs.replace(most, who="")]) == [other]
    assert types_of([*ours, most]) == {"calendar"}


def test_a_stale_plan_names_the_keys_that_changed(path: Path) -> None:
    budgets = msgspec.structs.replace(CONFIG.budgets, hold=7.5)
    blue = msgspec.structs.replace(CONFIG.blue, url="http://other:8090")
    save_plan(msgspec.structs.replace(PLAN, config_parts=config_parts(CONFIG)), path)
    with pytest.raises(StalePlanError) as caught:
        load_plan(msgspec.structs.replace(CONFIG, budgets=budgets, blue=blue), path)
    assert "budgets.hold was 5, is 7.5" in caught.value.evidence
    assert "blue.url is another" in caught.value.evidence


def test_the_parts_of_a_configuration_hold_no_text_of_it() -> None:
    kafka = msgspec.structs.replace(CONFIG.blue.kafka, settings={"sasl.password": "hunter2"})
    config = msgspec.structs.replace(CONFIG, blue=msgspec.structs.replace(CONFIG.blue, kafka=kafka))
    parts = config_parts(config)
    assert parts["blue.kafka.settings.sasl.password"] == "#"
    assert not [key for key, value in parts.items() if "hunter2" in value or "example.net" in value]
    assert part_changes({"a": "1", "b": "#1"}, {"a": "2", "c": "3"}) == [
        "b is gone",
        "a was 1, is 2",
        "c is new",
    ]


def test_the_plan_before_is_kept(path: Path) -> None:
    assert keep_previous(path.with_name("none.json")) is None
    kept = keep_previous(path)
    assert kept is not None
    assert kept.name == "plan.previous.json"
    assert msgspec.json.decode(kept.read_bytes(), type=Plan) == PLAN
    assert kept.stat().st_mode & 0o777 == 0o600


def test_an_unproven_version_is_allowed_by_name() -> None:
    (given,) = unproven_version_allowed("Ada")
    assert (given.guard, given.who, given.reason) == ("version_proven", "Ada", "--allow-unproven-version")
    (own,) = unproven_version_allowed("")
    assert own.who
