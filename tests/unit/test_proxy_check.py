"""What `proxy check` concludes from what it saw, and the looks at configurations that it rests on."""

from typing import Any

import msgspec
import pytest

from bmswitch.model.config import Budgets, HaproxyNode
from bmswitch.model.plan import Level
from bmswitch.proxy.api import NodeState
from bmswitch.proxy.envoy_inspect import breakers, waits
from bmswitch.proxy.haproxy_inspect import missing_pieces, parse_sections
from bmswitch.proxy.haproxy_inspect import waits as haproxy_waits
from bmswitch.proxy.inspection import Inspection
from bmswitch.workflows.proxy_answers import Answer, same_as
from bmswitch.workflows.proxy_check import ProxyReport, report
from bmswitch.workflows.proxy_guards import Look

NODE = HaproxyNode(name="edge", socket="/s", map_file="/m", backends={})
GOOD = Inspection(
    files=20_000, clients=8_000, backlog=4096, waits={"inspect-delay": 15.0}, cap=10.0, skew=0.0
)
LOOK = Look(
    node=NODE,
    state=NodeState("blue", 0, 3),
    inspection=GOOD,
    answers=[Answer(frontend="http://a", said="5.0", colour="blue")],
)
MAP = "/etc/cut.map"
CONFIGURATION = """\
defaults
    timeout client 3s   # short
    timeout queue 15000
frontend web
    http-request lua.hold unless { str(hold_until),map(/etc/cut.map,0) -m str 0 }
    use_backend web_%[str(active),map(/etc/cut.map,none)]
frontend imap
    mode tcp
    use_backend imap_%[str(active),map(/etc/cut.map,none)]
frontend statistics
    stats enable
"""


def levels(look: Look, *, rate: int = 500, **budgets: float) -> dict[str, Level]:
    """Guards that did not pass."""
    found = report(look, Budgets(**budgets), rate).findings
    return {one.guard: one.level for one in found if one.level is not Level.passed}


def seen(**changes: Any) -> Look:
    return msgspec.structs.replace(LOOK, inspection=msgspec.structs.replace(GOOD, **changes))


def answered(*found: Answer) -> Look:
    return msgspec.structs.replace(LOOK, answers=list(found))


def test_a_good_node_passes_every_guard() -> None:
    assert levels(LOOK) == {}


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (seen(missing=["x"]), {"in_place": Level.stop}),
        (seen(unread=["x"]), {"in_place": Level.unknown}),
        (seen(changed=["/etc/x"]), {"in_place": Level.warn}),
        (seen(backlog=499), {"backlog": Level.warn}),
        (seen(backlog=2_499, kept_outside=True), {"backlog": Level.warn}),
        (seen(backlog=None), {"backlog": Level.unknown}),
        (seen(files=6_000), {"room": Level.stop}),
        (seen(clients=3_000), {"room": Level.stop}),
        (seen(rate=470), {"room": Level.stop}),
        (seen(files=None), {"room": Level.unknown}),
        (seen(waits={"a": 5.0}), {"patience": Level.stop}),
        (seen(waits={"a": 10.0}), {"patience": Level.warn}),
        (seen(old=[7]), {"one_generation": Level.warn}),
        (seen(cap=3.0), {"lease": Level.stop}),
        (seen(cap=60.0), {"lease": Level.warn, "patience": Level.warn}),
        (seen(cap=None), {"lease": Level.unknown}),
        (seen(skew=-0.2), {"clock": Level.warn}),
        (seen(skew=0.7), {"clock": Level.stop}),
        (seen(skew=None), {"clock": Level.unknown}),
        (answered(), {"answering": Level.warn}),
        (answered(Answer(frontend="a", error="ConnectError")), {"answering": Level.stop}),
        (answered(Answer(frontend="a", said="5.1", colour="green")), {"answering": Level.stop}),
        (answered(Answer(frontend="a", said="220 mx")), {"answering": Level.warn}),
    ],
)
def test_each_danger_has_its_guard(look: Look, expected: dict[str, Level]) -> None:
    assert levels(look) == expected


def test_whoever_is_warned_is_told_what_follows_and_what_to_do() -> None:
    silent = Look(node=NODE, error="does not answer")
    findings = [
        one for look in (silent, seen(old=[7], cap=3.0)) for one in report(look, Budgets(), 500).findings
    ]
    assert all(one.consequence and one.command for one in findings if one.level is not Level.passed)


def test_a_higher_rate_or_a_longer_hold_needs_more_room() -> None:
    assert levels(LOOK, rate=2_000) == {"room": Level.stop}
    assert levels(LOOK, hold=10.5) == {"lease": Level.stop}


def test_a_node_that_is_held_or_of_two_minds_is_told() -> None:
    assert levels(msgspec.structs.replace(LOOK, state=NodeState("blue", 99, 3))) == {"read_back": Level.warn}
    unclear = levels(msgspec.structs.replace(LOOK, state=NodeState("unknown", 0, 3)))
    assert unclear == {"read_back": Level.stop, "answering": Level.stop}


def test_nothing_is_concluded_from_silence() -> None:
    silent = Look(node=NODE, error="does not answer", answers=LOOK.answers)
    assert set(levels(silent).values()) == {Level.unknown, Level.stop}
    found = ProxyReport(rate=1, hold=5, nodes=[report(silent, Budgets(), 1)])
    assert found.nodes[0].claims == "unknown"
    assert len(found.stops) == 9


def test_a_word_that_both_say_tells_no_colour() -> None:
    assert same_as("5.0", {"blue": ["5.0"], "green": ["5.1"]}) == "blue"
    assert same_as("5.0", {"blue": ["5.0"], "green": ["5.0"]}) == ""
    assert same_as("4.9", {"blue": ["5.0"], "green": ["5.1"]}) == ""


def test_haproxy_frontends_that_follow_the_map_are_looked_at() -> None:
    sections = parse_sections(CONFIGURATION)
    assert missing_pieces(sections, MAP) == [
        "frontend imap has no `tcp-request content lua.hold`",
        "frontend imap has no `tcp-request inspect-delay`",
    ]
    assert missing_pieces(sections, "/other") == ["no frontend chooses its backend by /other"]
    assert haproxy_waits(sections, MAP) == {"defaults: timeout client": 3.0, "defaults: timeout queue": 15.0}


def test_envoy_without_limits_of_its_own_has_the_default_ones() -> None:
    dump = {"clusters": [{"name": "web", "type": "EDS"}, {"name": "other", "type": "STATIC"}]}
    assert breakers(dump, ["web"]) == 1024
    assert breakers(dump, ["absent"]) is None
    assert waits([{"server_uri": {"uri": "x"}}]) == {"ext_authz timeout": 0.2}
