"""The soak's rounds: when it ends, what it does about sessions that stayed behind, what the breach leads to."""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.test_switch_effects import ended as state_of

from bmswitch.model.config import Frontends, HaproxyNode, Sessions, Soak
from bmswitch.model.errors import UnknownError
from bmswitch.model.soak import Report
from bmswitch.model.switch import Result, State
from bmswitch.proxy.api import InFlight
from bmswitch.proxy.twin import TwinNode
from bmswitch.workflows import breach
from bmswitch.workflows.canary import Person
from bmswitch.workflows.cutover_result import SwitchResult
from bmswitch.workflows.kept_sessions import Ending
from bmswitch.workflows.soak_watch import Front, fronts, load_report, save_report, soak

QUICK = Soak(seconds=0.3, every=0.01, failures_in_a_row=3, failure_share=1.0)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as found:
        yield found


def ending(pool: Executor, node: TwinNode, run: Callable[[list[str]], Result] | None = None) -> Ending:
    argv = ["end", "{kind}", "{at_most}"] if run else None
    done = run or (lambda _: Result(answer="yes"))
    return Ending(pool, [node], "blue", fence=1, pace=Sessions(batch=2, every=0.001), argv=argv, run=done)


def front(probe: Callable[[], str], at: str = "a:143") -> Front:
    return Front("p", "imap", at, probe)


def test_all_is_well_for_the_whole_time(pool: Executor) -> None:
    report = soak(pool, [front(str)], QUICK, ending(pool, TwinNode("p", lambda: 0)), canary=True)
    assert report.breaches == []
    assert report.frontends[0].attempts > 3
    assert report.seconds >= 0.3
    assert report.stayed == 0


def test_a_frontend_that_is_broken_ends_the_soak_early(pool: Executor) -> None:
    patient = Soak(seconds=60, every=0.01, failures_in_a_row=3)
    broken = front(lambda: "no greeting", "b:143")
    report = soak(pool, [front(str), broken], patient, ending(pool, TwinNode("p", lambda: 0)), canary=True)
    assert report.breaches == ["p imap b:143: 3 failures in a row: no greeting"]
    assert [each.failures for each in report.frontends] == [0, 3]


def test_sessions_that_stayed_are_ended_during_the_soak(pool: Executor) -> None:
    node = TwinNode("p", lambda: 0)
    node.running["blue"] = InFlight(requests=3, connections=4)
    asked: list[str] = []

    def deaf(argv: list[str]) -> Result:
        asked.append(argv[1])
        return Result(answer="yes")

    report = soak(pool, [front(str)], QUICK, ending(pool, node, deaf), canary=True)
    assert report.stayed == 7
    assert asked == ["imap", "smtp", "websocket", "longpoll"], "the command first, then the proxies"
    assert node.running["blue"] == InFlight(requests=0, connections=0)
    assert report.breaches == []


def test_a_session_that_is_left_at_the_end_is_a_breach(pool: Executor) -> None:
    class Stubborn(TwinNode):
        def kick(self, *_: Any, **__: Any) -> int:
            return 0

    node = Stubborn("edge", lambda: 0)
    node.running["blue"] = InFlight(requests=1, connections=2)
    report = soak(pool, [front(str)], QUICK, ending(pool, node), canary=True)
    assert len(report.breaches) == 1
    assert "edge: 2 mail sessions and 1 web sessions" in report.breaches[0]


def test_what_can_not_be_read_is_no_clean_end(pool: Executor) -> None:
    node = TwinNode("edge", lambda: 0)
    node.down = True
    report = soak(pool, [front(str)], QUICK, ending(pool, node), canary=True)
    assert "edge: can not be read" in report.breaches[0]


def test_every_frontend_of_every_node_is_asked() -> None:
    nodes = [
        HaproxyNode(
            name=name,
            socket="s",
            map_file="m",
            backends={},
            frontends=Frontends(http=[f"http://{name}"], imap=imap, smtp=[f"{name}:25"]),
        )
        for name, imap in (("e1", ["e1:143", "e1:993"]), ("e2", []))
    ]
    for person in (None, Person("canary@lab.test", "secret-word")):
        found = fronts(nodes, person, verify=True)
        assert [(each.node, each.protocol, each.address) for each in found] == [
            ("e1", "http", "http://e1"),
            ("e1", "imap", "e1:143"),
            ("e1", "imap", "e1:993"),
            ("e1", "smtp", "e1:25"),
            ("e2", "http", "http://e2"),
            ("e2", "smtp", "e2:25"),
        ]
        assert "secret-word" not in repr(found)


def test_the_report_is_kept_beside_the_journal(tmp_path: Path) -> None:
    report = Report(seconds=1.0, canary=False, frontends=[], stayed=0, breaches=["x"])
    save_report(tmp_path, report)
    assert load_report(tmp_path) == report
    assert (tmp_path / "soak.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "soak.json").write_text("{")
    assert load_report(tmp_path) is None


class Where(msgspec.Struct):
    """As much of a configuration as a breach needs."""

    run_dir: str
    soak: Soak


def breached() -> State:
    state = state_of("switched", "soak: p imap a:143: 3 failures in a row")
    return msgspec.structs.replace(state, results={**state.results, "soak": Result(answer="no")})


@pytest.mark.parametrize(
    ("limits", "next_command"),
    [(Soak(), "mend"), (Soak(on_breach="return"), "bmswitch standby")],
)
def test_a_breach_says_what_is_wanted_then(
    tmp_path: Path,
    limits: Soak,
    next_command: str,
) -> None:
    report = Report(seconds=1.0, canary=True, frontends=[], stayed=0, breaches=["p imap"])
    save_report(tmp_path, report)
    where: Any = Where(str(tmp_path), limits)
    with pytest.raises(UnknownError) as caught:
        breach.ended(breached(), where)
    result = caught.value.result
    assert isinstance(result, SwitchResult)
    assert (result.outcome, result.serving, result.soak) == ("switched", "green", report)
    assert result.on_breach == limits.on_breach
    assert result.wants_return is (limits.on_breach == "return")
    assert caught.value.exit_code == 11
    assert caught.value.next_command.startswith(next_command)


def test_the_pager_gets_the_evidence(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    script = "import os,sys;open(sys.argv[1],'w').write(sys.stdin.read()+os.environ['BMSWITCH_BREACH'])"
    pager = [sys.executable, "-c", script, str(told)]
    where: Any = Where(str(tmp_path), Soak(on_breach="page", page=pager))
    with pytest.raises(UnknownError) as caught:
        breach.ended(breached(), where)
    evidence, _, said = told.read_text().rpartition("}")
    assert json.loads(evidence + "}")["on_breach"] == "page"
    assert "3 failures in a row" in said
    assert "was run" in caught.value.consequence


def test_a_pager_that_can_not_be_run_is_told(tmp_path: Path) -> None:
    where: Any = Where(str(tmp_path), Soak(on_breach="page", page=["/no/such/pager"]))
    with pytest.raises(UnknownError) as caught:
        breach.ended(breached(), where)
    assert "nobody was paged" in caught.value.consequence
