"""A proof is moved forward: only what the log touched is read, and what differs is found as by a whole one."""

from typing import Any

import pytest
from tests.integration.verify_core import Installation, item, small_installation, two_cores
from tests.integration.verify_kit import TOPIC, FakeLog, pieces_of, prove

from bmswitch.model.errors import RefusedError
from bmswitch.model.proof import Proof
from bmswitch.parity.touched import Touched
from bmswitch.workflows.proof_files import Outcome
from bmswitch.workflows.verify import Options
from bmswitch.workflows.verify_changes import prove_changes, refuse_unfit


def moved(blue: Any, green: Any, last: Outcome, log: FakeLog) -> Outcome:
    with pieces_of(blue, green, log=log) as pieces:
        before = (Touched(), last.proof.position)
        return prove_changes(pieces, last.proof, before, Options(), lambda _: None, known=last.differences)


def change(held: Installation) -> None:
    held.items["notes:default_u1"]["n/1"]["value"]["body"] = "new"


@pytest.mark.parametrize("verdict", ["equal", "different"])
def test_only_what_was_touched_is_read_and_what_did_not_arrive_is_found(verdict: str) -> None:
    held, log = small_installation(), FakeLog()
    with two_cores(held, held.clone()) as (blue, green):
        last = prove(blue, green, log=log)
        change(blue.held)
        if verdict == "equal":
            change(green.held)
        log.touch("notes", "u1", "notes:default_u1", "n/1")
        blue.calls.clear()
        outcome = moved(blue, green, last, log)
        read = {call for call in blue.calls if "externaluser" not in call and "/directory/" not in call}
    assert read == {"POST /api/notes/notes%3Adefault_u1/_mget"}
    assert outcome.proof.verdict == verdict
    assert outcome.proof.position == {TOPIC: [1]}
    assert outcome.proof.changes == 1
    assert outcome.proof.whole_at == last.proof.at
    assert outcome.proof.items == last.proof.items


def test_known_differences_stay_known() -> None:
    held, log = small_installation(), FakeLog()
    changed = held.clone()
    changed.items["hierarchy_u1"]["old"] = item("old", 77, {"x": 1})
    with two_cores(held, changed) as (blue, green):
        last = prove(blue, green, log=log)
        log.touch("notes", "u1", "notes:default_u1", "n/1")
        outcome = moved(blue, green, last, log)
    assert outcome.proof.verdict == "equal"
    assert outcome.proof.known_differences == 1


def test_another_log_or_a_proof_that_did_not_say_equal_is_refused() -> None:
    held, log = small_installation(1), FakeLog()
    with two_cores(held, held.clone()) as (blue, green):
        log.touch("notes", "u1", "notes:default_u1", "n/1")
        last = prove(blue, green, log=log)
        with pytest.raises(RefusedError, match="log"):
            moved(blue, green, last, FakeLog())
    with pytest.raises(RefusedError, match="no whole proof"):
        refuse_unfit(None, "plan-1")
    with pytest.raises(RefusedError, match="another plan"):
        refuse_unfit(last.proof, "plan-2")
    different: Proof = Proof(
        **{name: getattr(last.proof, name) for name in last.proof.__struct_fields__}
        | {"verdict": "different"}
    )
    with pytest.raises(RefusedError, match="different"):
        refuse_unfit(different, "plan-1")
