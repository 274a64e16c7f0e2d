"""Effects on small stand-ins of one core, one log and proxy twins: what is read back decides, not what was answered."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bmswitch.model.errors import AbortedError, RefusedError, UnknownError, UnreachableError
from bmswitch.model.records import LogRecord, RecordKey, encode_key
from bmswitch.model.switch import Entry, Result, State, fold
from bmswitch.model.switch.windows import Windows
from bmswitch.proxy.twin import Disturbance, TwinNode
from bmswitch.workflows import effects_core, effects_proxy
from bmswitch.workflows.commands import run_command
from bmswitch.workflows.cutover_result import SwitchResult, finish
from bmswitch.workflows.orphans import harm
from bmswitch.workflows.soak import probe_tcp


class FakeCore:
    """One core that answers from a script; port 9 of this machine does not answer at all."""

    name = "green"

    def __init__(self, *states: str, refuses: Exception | None = None) -> None:
        self.url = "http://192.0.2.1:1"
        self._states = list(states)
        self._refuses = refuses
        self.calls: list[str] = []

    def state(self) -> str:
        return "CORE_STATE_" + (self._states.pop(0) if len(self._states) > 1 else self._states[0])

    def promote(self, *, timeout: float | None = None) -> None:
        assert timeout is not None, "every call inside the hold is bounded"
        self._call("promote")

    def demote(self, *, timeout: float | None = None) -> None:
        assert timeout is not None, "every call inside the hold is bounded"
        self._call("demote")

    def probe_write(self, domain: str) -> None:
        self._call(domain)

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self._refuses:
            raise self._refuses


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects_core, "_refuses", lambda _url: False)


def soon() -> float:
    return time.monotonic() + 0.1


@pytest.mark.parametrize(
    ("core", "answer", "calls"),
    [
        (FakeCore("RUNNING"), "yes", []),
        (FakeCore("CLONING", "RUNNING"), "yes", ["promote"]),
        (FakeCore("CLONING", refuses=RefusedError("only a clone")), "no", ["promote"]),
        (FakeCore("CLONING", refuses=UnreachableError("no answer in time")), "unknown", ["promote"]),
        (FakeCore("CLONING", "RUNNING", refuses=UnreachableError("answer lost")), "yes", ["promote"]),
        (FakeCore("CLONING"), "unknown", ["promote"]),
    ],
    ids=["already", "promoted", "refused", "no answer", "answer lost", "stays a clone"],
)
def test_a_promotion_is_what_the_state_says(core: FakeCore, answer: str, calls: list[str]) -> None:
    assert effects_core.promote(core, soon()).answer == answer  # type: ignore[arg-type] # a stand-in of the core
    assert core.calls == calls


def test_a_demotion_whose_answer_was_lost_is_read_back() -> None:
    core = FakeCore("RUNNING", "DEMOTED", refuses=UnreachableError("answer lost"))
    assert effects_core.demote(core, soon()).answer == "yes"  # type: ignore[arg-type] # a stand-in of the core


def test_a_probe_that_is_refused_is_a_no() -> None:
    core = FakeCore("RUNNING", refuses=RefusedError("not writable"))
    assert effects_core.probe(core, "d").answer == "no"  # type: ignore[arg-type] # a stand-in of the core


class FakeLog:
    """End offsets from a script; partition 13 is where the farewell goes."""

    def __init__(self, *ends: int) -> None:
        self._ends = list(ends)

    def ends(self, counts: dict[str, int]) -> dict[str, list[int]]:
        end = self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]
        return {name: [end if p == 13 else 0 for p in range(count)] for name, count in counts.items()}


def settled(log: FakeLog) -> Result:
    farewell = effects_core.Farewell(log, {"t": 64})  # type: ignore[arg-type] # a stand-in of the log
    farewell.mark()
    return farewell.settle(time.monotonic() - 1, time.monotonic() + 0.15)[0]


def test_a_log_that_said_goodbye_and_stands_still_is_settled() -> None:
    assert settled(FakeLog(5, 6, 7, 7)).answer == "yes"


def test_a_log_without_farewell_is_unknown_as_another_may_lead() -> None:
    result = settled(FakeLog(5, 5))
    assert result.answer == "unknown"
    assert "farewell" in result.said


def test_a_log_that_still_grows_is_unknown() -> None:
    result = settled(FakeLog(*range(5, 400)))
    assert "still grows" in result.said


def test_a_barrier_that_was_never_written_has_not_passed() -> None:
    core = FakeCore("CLONING")
    for barrier in (None, Result(answer="unknown"), Result(answer="yes")):
        result = effects_core.passed(core, ["d"], barrier, soon())  # type: ignore[arg-type] # a stand-in of the core
        assert (result.answer, result.said) == ("unknown", "no barrier was written")


def test_commands_answer_by_exit_code_and_never_hang_on_a_daemon(tmp_path: Path) -> None:
    log = tmp_path / "commands.log"
    assert run_command([sys.executable, "-c", "print('hello')"], log, 10).answer == "yes"
    assert run_command([sys.executable, "-c", "raise SystemExit(3)"], log, 10).said.endswith(
        f"ended with 3, see {log}"
    )
    assert run_command([str(tmp_path / "none")], log, 10).answer == "no"
    slow = run_command([sys.executable, "-c", "import time; time.sleep(9)"], log, 0.2)
    assert slow.answer == "unknown"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "hello" in log.read_text()


def test_a_command_that_outlived_its_bmswitch_is_ended_before_the_next_of_its_kind(tmp_path: Path) -> None:
    log, done = tmp_path / "commands.log", tmp_path / "done"
    late = f"import time,pathlib; time.sleep(1.0); pathlib.Path({str(done)!r}).touch()"
    begin = (
        "import os,sys,threading,time,pathlib\n"
        "from bmswitch.workflows.commands import run_command\n"
        "note = pathlib.Path(sys.argv[1]).with_name('command-core.json')\n"
        "threading.Thread(target=lambda: run_command([sys.executable,'-c',sys.argv[2]], pathlib.Path(sys.argv[1]), 20)).start()\n"
        "while not note.exists(): time.sleep(0.005)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", begin, str(log), late], check=False)
    assert killed.returncode == -9
    assert (tmp_path / "command-core.json").exists()
    assert run_command([sys.executable, "-c", ""], log, 10).answer == "yes"
    time.sleep(1.2)
    assert not done.exists(), "a late stop must not follow a newer start"
    assert not (tmp_path / "command-core.json").exists()


def test_a_command_that_is_late_is_ended_with_all_that_it_began(tmp_path: Path) -> None:
    log, done = tmp_path / "commands.log", tmp_path / "done"
    assert run_command(["sh", "-c", f"(sleep 0.6; touch {done}) & wait"], log, 0.1).answer == "unknown"
    time.sleep(0.8)
    assert not done.exists()


def test_orders_to_nodes_are_yes_only_when_all_read_back() -> None:
    clock = [1000]
    nodes = [TwinNode("a", lambda: clock[0]), TwinNode("b", lambda: clock[0])]
    with ThreadPoolExecutor(2) as pool:
        assert effects_proxy.flip(pool, nodes, "green", 5).answer == "yes"
        nodes[1].disturb("flip", Disturbance(kind="lost_request"))
        lost = effects_proxy.flip(pool, nodes, "blue", 6)
        assert (lost.answer, lost.said[:2]) == ("unknown", "b:")
        assert effects_proxy.flip(pool, nodes, "green", 4).answer == "no", "an old fence is refused"


def test_a_node_that_is_late_is_not_seen_and_not_asked_twice() -> None:
    class Slow(TwinNode):
        asked = 0

        def read(self):  # type: ignore[no-untyped-def] # as the twin
            Slow.asked += 1
            time.sleep(0.3)
            return super().read()

    with ThreadPoolExecutor(2) as pool:
        watch = effects_proxy.Watch(pool, [Slow("a", lambda: 1000)], patience=0.05)
        assert [node.seen for node in watch.look()] == [False]
        assert [node.seen for node in watch.look()] == [False]
        assert Slow.asked == 1


@pytest.mark.parametrize(
    ("kind", "value_class", "harmless"),
    [
        ("container_item_id_seq", "net.bluemind.core.backup.continuous.dto.ContainerItemIdSeq", True),
        ("installation", "net.bluemind.core.backup.continuous.dto.CoreTok", True),
        ("domains", "net.bluemind.domain.api.Domain", False),
        ("installation", "net.bluemind.server.api.Server", False),
    ],
)
def test_only_heartbeat_and_token_do_no_harm_in_the_orphans(
    kind: str, value_class: str, *, harmless: bool
) -> None:
    from bmswitch.model.records import Operation  # noqa: PLC0415 -- only here

    key = encode_key(RecordKey(kind, "system", "u", 1, value_class, Operation.UPDATE))
    assert (harm(LogRecord("t", 1, 2, 3, key, b"{}")) == "") is harmless
    assert "not understood" in harm(LogRecord("t", 1, 2, 3, b"?", b"{}"))


def test_a_port_that_refuses_is_a_breach() -> None:
    assert "n1 127.0.0.1:9" in probe_tcp("n1", "127.0.0.1:9", "220")


def ended(outcome: str, said: str = "") -> State:
    entries = [
        Entry(kind="start", fence=4, at_ms=1000),
        Entry(kind="intent", verb="hold", phase="hold", until_ms=4000, at_ms=1010),
        Entry(kind="effect", verb="hold", phase="hold", at_ms=1030, result=Result(answer="yes")),
        Entry(kind="intent", verb="release", phase="release", at_ms=1900),
        Entry(kind="effect", verb="release", phase="release", at_ms=1910, result=Result(answer="yes")),
        Entry(kind="end", phase="done", at_ms=2000, outcome=outcome, said=said),  # type: ignore[arg-type] # from a list
    ]
    state = fold(entries)
    assert state is not None
    return state


def test_the_figures_of_a_switch(tmp_path: Path) -> None:
    result = finish(ended("switched"), tmp_path)
    assert (tmp_path / "cutover.json").stat().st_mode & 0o777 == 0o600
    assert result == SwitchResult(
        outcome="switched",
        serving="green",
        hold_ms=900,
        phases={"gate": 10, "hold": 890, "release": 100},
        fence=4,
        windows=Windows(both_ms=0, nobody_ms=900),
    )


@pytest.mark.parametrize(
    ("outcome", "said", "error", "word"),
    [
        ("aborted", "the hold has lapsed", AbortedError, "traffic is on blue"),
        ("unknown", "green can not be read", UnknownError, "no side was given traffic"),
        ("switched", "soak: imap refused", UnknownError, "traffic stays on green"),
    ],
)
def test_every_other_end_is_an_error_that_carries_the_figures(
    outcome: str, said: str, error: type[AbortedError | UnknownError], word: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        finish(ended(outcome, said), tmp_path)
    assert word in caught.value.consequence
    assert isinstance(caught.value.result, SwitchResult)
    assert caught.value.result.outcome == outcome
    assert caught.value.next_command


def test_a_command_that_does_not_end_is_ended_at_its_deadline(tmp_path: Path) -> None:
    result = run_command(["sleep", "60"], tmp_path / "commands.log", 0.05)
    assert (result.answer, result.said.split(",")[0]) == ("unknown", "sleep did not end within 0.05 s")
