"""The pure decisions: world in, next action out."""

from collections.abc import Callable

import msgspec
import pytest

from bmswitch.model.switch import (
    VERBS,
    Action,
    Entry,
    Limits,
    Node,
    Observation,
    Powers,
    Result,
    State,
    Verb,
    apply,
    comes_too_late,
    entry_of,
    fold,
    may_abort,
    next_action,
)

LIMITS = Limits()
FORWARD = [
    "hold",
    "kick",
    "drain",
    "barrier",
    "demote-source",
    "settle",
    "prove",
    "stop-source",
    "promote-target",
    "probe-target",
    "flip-target",
    "release",
    "soak",
]


class Table:
    """A world on the table: every effect answers at once, unless a test says otherwise."""

    def __init__(self, powers: Powers | None = None) -> None:
        self.now = 1_000_000
        self.state = (
            fold([Entry(kind="start", fence=3, at_ms=self.now, limits=LIMITS, powers=powers)]) or State()
        )
        self.blue, self.green, self.colour = "RUNNING", "CLONING", "blue"
        self.done: list[str] = []
        self.answers: dict[str, Result] = {}
        self.before: Callable[[str], object] = self.done.count

    def see(self, **changes: object) -> Observation:
        node = Node(
            name="p0",
            seen=True,
            colour="green" if self.colour == "green" else "blue",
            hold_until_ms=self.state.hold_until_ms,
            fence=self.state.fence,
        )
        seen = Observation(now_ms=self.now, nodes=(node,), source=self.blue, target=self.green, quiet_looks=3)
        return msgspec.structs.replace(seen, **changes)

    def write(self, entry: Entry) -> None:
        self.state = apply(self.state, msgspec.structs.replace(entry, at_ms=self.now))

    def step(self) -> Action:
        self.now += 10
        action = next_action(self.state, self.see())
        if action.do == "wait":
            return action
        self.write(entry_of(action, self.state.fence))
        if action.do in VERBS:
            self.carry_out(VERBS[action.do])
        return action

    def carry_out(self, verb: Verb) -> None:
        self.done.append(verb)
        self.before(verb)
        result = self.answers.get(verb, Result(answer="yes"))
        if result.answer == "yes":
            self._happen(verb)
        self.write(Entry(kind="effect", phase=self.state.phase, verb=verb, result=result))

    def _happen(self, verb: str) -> None:
        changes = {
            "demote-source": ("blue", "DEMOTED"),
            "stop-source": ("blue", "silent"),
            "start-source": ("blue", "RUNNING"),
            "promote-target": ("green", "RUNNING"),
            "demote-target": ("green", "DEMOTED"),
            "flip-target": ("colour", "green"),
            "flip-source": ("colour", "blue"),
        }
        if verb in changes:
            setattr(self, *changes[verb])

    def run(self, until: str = "end", limit: int = 500) -> State:
        for _ in range(limit):
            action = self.step()
            if action.do in (until, "end"):
                return self.state
        raise AssertionError(f"no {until} after {self.done}")


def no(said: str = "because") -> Result:
    return Result(answer="no", said=said)


def test_the_whole_way_is_taken_in_order() -> None:
    table = Table()
    assert table.run().outcome == "switched"
    assert table.done == FORWARD


def test_blue_is_stopped_after_the_proof_and_before_the_promotion() -> None:
    table = Table()
    table.run()
    order = [table.done.index(verb) for verb in ("prove", "stop-source", "promote-target")]
    assert order == sorted(order)


@pytest.mark.parametrize("verb", FORWARD[3:7])
def test_a_doubt_before_the_promotion_puts_everything_back(verb: str) -> None:
    table = Table()
    table.answers[verb] = no()
    state = table.run()
    assert state.outcome == "aborted"
    assert verb in state.reason
    assert (table.blue, table.green, table.colour) == ("RUNNING", "CLONING", "blue")
    assert "promote-target" not in table.done
    assert table.done[-1] == "release"


def test_a_core_that_can_not_be_stopped_is_the_operators_to_judge() -> None:
    table = Table()
    table.answers["stop-source"] = no("exit code 1")
    state = table.run()
    assert state.outcome == "unknown"
    assert "start-source" not in table.done
    assert "promote-target" not in table.done
    assert "DEMOTED" in state.reason


def test_the_way_back_is_routing_then_write_permission_then_release() -> None:
    table = Table()
    table.answers["prove"] = no()
    table.run()
    back = [verb for verb in table.done[table.done.index("prove") + 1 :] if verb != "hold"]
    assert back == ["flip-source", "stop-source", "start-source", "probe-source", "release"]


def test_rights_are_withdrawn_after_the_proof_and_the_stop_and_before_the_promotion() -> None:
    table = Table(Powers(revoke=True))
    assert table.run().outcome == "switched"
    assert table.done == [*FORWARD[:8], "revoke-source", *FORWARD[8:]]


def test_a_withdrawal_that_is_not_proven_turns_back_and_is_given_back_before_the_core_starts() -> None:
    table = Table(Powers(revoke=True))
    table.answers["revoke-source"] = Result(answer="unknown")
    assert table.run().outcome == "aborted"
    back = [verb for verb in table.done[table.done.index("revoke-source") + 1 :] if verb != "hold"]
    assert back == ["flip-source", "restore-source", "start-source", "probe-source", "release"]


def test_a_switch_that_turns_back_names_who_does_not_answer() -> None:
    table = Table()
    table.run(until="barrier")
    late = table.now + LIMITS.hold
    nodes = (Node(name="p0", seen=False),)
    said = next_action(table.state, table.see(now_ms=late, target="silent", nodes=nodes)).said
    assert said == "the hold has lapsed; no answer from: p0, green's core"
    assert next_action(table.state, table.see(now_ms=late)).said == "the hold has lapsed"


def test_rights_are_given_back_later_than_a_late_withdrawal_can_arrive() -> None:
    table = Table(Powers(revoke=True))
    table.answers["revoke-source"] = Result(answer="unknown")
    table.run("restore-source")
    assert table.now - table.state.lost["revoke-source"] >= LIMITS.late


def test_rights_that_can_not_be_given_back_keep_the_source_from_serving() -> None:
    table = Table(Powers(revoke=True))
    table.answers["promote-target"] = no()
    table.answers["restore-source"] = no("access denied")
    state = table.run()
    assert state.outcome == "unknown"
    assert "give blue its rights" in state.reason
    assert "start-source" not in table.done


def test_nothing_is_touched_when_the_gate_finds_green_promoted() -> None:
    table = Table()
    table.green = "RUNNING"
    assert table.run().outcome == "aborted"
    assert table.done == []


def test_a_hold_that_lapsed_is_never_gone_on_with() -> None:
    table = Table()
    table.run("barrier")
    table.now = table.state.hold_until_ms - LIMITS.margin
    assert table.step().do == "abort"
    assert "lapsed" in table.state.reason


def test_a_node_that_lost_its_hold_turns_the_switch_back() -> None:
    table = Table()
    table.run("demote-source")
    bare = Node(name="p0", seen=True, colour="blue", hold_until_ms=0, fence=table.state.fence)
    assert next_action(table.state, table.see(nodes=(bare,))).do == "abort"


def test_a_renewal_that_came_after_the_expiry_counts_as_a_gap() -> None:
    table = Table()
    table.run("drain")
    table.write(Entry(kind="intent", phase="drain", verb="hold", until_ms=table.now + 3000))
    table.now = table.state.hold_until_ms + 5
    table.write(Entry(kind="effect", phase="drain", verb="hold", result=Result(answer="yes")))
    assert table.state.lapsed


def test_the_lease_is_renewed_and_never_beyond_the_budget() -> None:
    table = Table()
    table.run("kick")
    table.answers["barrier"] = Result(answer="unknown")
    holds = []
    for _ in range(400):
        table.now += 10
        action = next_action(table.state, table.see(running=frozenset({"barrier"})))
        if action.do == "hold":
            holds.append(action.until_ms)
            table.write(entry_of(action, table.state.fence))
            table.carry_out("hold")
        elif action.do == "abort":
            break
        elif action.phase != table.state.phase:
            table.write(entry_of(action, table.state.fence))
    assert holds
    assert max(holds) <= table.state.cap_ms


def test_a_node_that_is_not_seen_stops_the_fence_but_is_not_called_failed() -> None:
    table = Table()
    table.run("barrier")
    blind = table.see(nodes=(Node(name="p0", seen=False),))
    assert next_action(table.state, blind).do == "wait"


def test_a_clock_that_jumped_is_not_trusted() -> None:
    table = Table()
    table.run("kick")
    assert next_action(table.state, table.see(drift_ms=5000)).do == "abort"


def test_a_refused_promotion_brings_blue_back() -> None:
    table = Table()
    table.answers["promote-target"] = no("not in cloning state")
    assert table.run().outcome == "aborted"
    assert table.blue == "RUNNING"


def test_an_unproven_promotion_never_starts_blue_while_green_may_lead() -> None:
    table = Table()
    table.answers["promote-target"] = Result(answer="unknown")
    table.before = lambda verb: setattr(table, "green", "silent") if verb == "promote-target" else None
    state = table.run(limit=5000)
    assert state.outcome == "unknown"
    assert "start-source" not in table.done
    assert "green was told to lead" in state.reason


def test_a_green_that_leads_but_takes_no_write_is_demoted_before_blue_starts() -> None:
    table = Table()
    table.answers["probe-target"] = Result(answer="unknown")
    assert table.run(limit=3000).outcome == "aborted"
    assert table.done.index("demote-target") < table.done.index("start-source")
    assert table.green == "DEMOTED"


def test_after_the_promotion_a_lapsed_hold_is_no_reason_when_blue_is_stopped() -> None:
    table = Table()
    table.run("probe-target")
    table.now = table.state.hold_until_ms + 10_000
    assert table.run().outcome == "switched"


def test_without_a_stop_command_a_lapsed_hold_before_the_flip_still_turns_back() -> None:
    table = Table(Powers(stop=False))
    table.run("probe-target")
    table.now = table.state.hold_until_ms + 1
    assert table.step().do == "abort"


def test_too_little_budget_for_promotion_and_flip_turns_back() -> None:
    table = Table()
    table.run("stop-source")
    cap = table.state.cap_ms
    table.write(Entry(kind="intent", phase="stop-old", verb="hold", until_ms=cap))
    table.write(Entry(kind="effect", phase="stop-old", verb="hold", result=Result(answer="yes")))
    table.now = cap - LIMITS.flip
    assert table.step().do == "abort"
    assert "too little" in table.state.reason


def test_turning_back_takes_a_new_fence_so_that_late_orders_are_refused() -> None:
    table = Table()
    table.answers["barrier"] = no()
    before = table.state.fence
    assert table.run().fence == before + 1


def test_an_abort_is_refused_once_green_may_have_taken_a_write() -> None:
    table = Table()
    table.run("probe-target")
    assert may_abort(table.state, table.now)
    table.step()
    assert table.done[-1] == "flip-target"
    assert may_abort(table.state, table.now), "held: nobody has written on green"
    assert not may_abort(table.state, table.state.hold_until_ms), "the hold is over"
    table.run()
    assert not may_abort(table.state, table.now)


def test_an_abort_that_came_too_late_goes_on_instead() -> None:
    table = Table()
    table.run("flip-target")
    table.write(Entry(kind="abort", phase="aborting", fence=table.state.fence + 1, said="asked"))
    table.now = table.state.hold_until_ms
    assert table.step().do == "onward"
    assert table.run().outcome == "switched"
    assert "demote-target" not in table.done


def test_an_unacknowledged_hold_counts_as_lapsed_for_a_new_process() -> None:
    table = Table()
    table.run("kick")
    table.write(Entry(kind="intent", phase="kick", verb="hold", until_ms=table.now + 2000))
    table.write(Entry(kind="resume", phase="kick", fence=table.state.fence + 1))
    assert table.state.lapsed
    assert table.step().do == "abort"


def test_an_ended_switch_has_nothing_more_to_do() -> None:
    table = Table()
    table.run()
    done = list(table.done)
    assert table.step().do == "end"
    assert table.done == done


def test_a_breach_in_the_soak_is_told_and_traffic_stays() -> None:
    table = Table()
    table.answers["soak"] = no("p0 imap: refused")
    state = table.run()
    assert state.outcome == "switched"
    assert "refused" in state.reason
    assert table.colour == "green"


def test_a_node_that_was_given_up_is_probed_again_when_it_has_followed() -> None:
    table = Table()
    table.answers |= {
        "flip-target": Result(answer="unknown", said="p1: no answer"),
        "soak": no("p1 imap: refused"),
    }
    assert table.run(limit=2000).outcome == "unknown"
    table.answers.clear()
    table.write(Entry(kind="resume", phase=table.state.phase, fence=table.state.fence + 1))
    state = table.run()
    assert (state.outcome, state.reason) == ("switched", "")
    assert table.done[-2:] == ["flip-target", "soak"]


def test_a_node_that_was_set_back_after_the_flip_is_named() -> None:
    table = Table()
    table.run(until="soak")
    table.colour = "blue"
    state = table.run()
    assert (state.outcome, table.done[-1]) == ("switched", "soak")
    assert state.reason == "soak: p0 points at blue again, set back by another hand"


def test_a_node_that_lost_its_hold_is_named() -> None:
    table = Table()
    table.run(until="demote-source")
    free = (Node(name="p0", seen=True, colour="blue", hold_until_ms=0),)
    assert next_action(table.state, table.see(nodes=free)).said == "the hold has lapsed on p0"


def test_without_a_start_command_the_operator_is_told_what_to_do() -> None:
    table = Table(Powers(start=False))
    table.answers["prove"] = no()
    state = table.run()
    assert state.outcome == "unknown"
    assert "bm-core.disabled" in state.reason


def test_a_release_waits_for_a_renewal_that_is_under_way() -> None:
    table = Table()
    table.run(until="flip-target")
    renewing = table.see(running=frozenset({"hold"}))
    assert next_action(table.state, renewing).do == "wait"
    assert next_action(table.state, table.see()).do == "release"


def test_nothing_is_held_again_once_a_release_was_begun() -> None:
    table = Table()
    table.run(until="release")
    table.write(Entry(kind="resume", phase=table.state.phase, fence=table.state.fence + 1))
    owed = {name: result for name, result in table.state.results.items() if name != "flip-target"}
    state = msgspec.structs.replace(table.state, results=owed)
    assert next_action(state, table.see()).do == "flip-target"


def test_a_hold_is_not_renewed_while_a_node_may_be_back_without_it() -> None:
    table = Table()
    table.run(until="demote-source")
    table.now += 1_200
    unseen = (Node(name="p0", seen=False),)
    assert next_action(table.state, table.see()).do == "hold"
    assert next_action(table.state, table.see(nodes=unseen)).do != "hold"


def test_a_promotion_that_was_begun_before_is_not_called_undone() -> None:
    table = Table()
    table.run(until="stop-source")
    late = table.state.hold_until_ms + 1
    assert comes_too_late(table.state, "promote-target", late)
    table.write(Entry(kind="intent", phase="promote", verb="promote-target"))
    table.write(Entry(kind="resume", phase="promote", fence=table.state.fence + 1))
    table.write(Entry(kind="intent", phase="promote", verb="promote-target"))
    assert not comes_too_late(table.state, "promote-target", late)
