"""How a switch ended, as figures and as the error that the exit code comes from."""

import itertools
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.config import Soak
from bmswitch.model.errors import AbortedError, BmswitchError, UnknownError
from bmswitch.model.soak import Report
from bmswitch.model.switch import State
from bmswitch.model.switch.windows import Windows, windows
from bmswitch.workflows.soak_watch import load_report

RESULT = "cutover.json"
_NEXT = {
    "": "bmswitch status",
    "freeze": "mend what the evidence names; bmswitch standby, then bmswitch return, lead back",
    "page": "mend what the evidence names; bmswitch standby, then bmswitch return, lead back",
    "return": "bmswitch standby, then bmswitch return, when the way back that was begun did not come to its end",
}


class SwitchResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a switch ended. `hold_ms` is from the first hold to the release or to the end of the lease, `phases` milliseconds of each phase in order; `windows` who could write
    when.

    `soak` is what the probes have seen, null before a soak. With a `breach`, `on_breach` says what the configuration wants then:
    `freeze`, `return` or `page`; empty without one.
    """

    outcome: str
    serving: str
    hold_ms: int
    phases: dict[str, int]
    fence: int
    reason: str = ""
    breach: str = ""
    windows: Windows = Windows(both_ms=0, nobody_ms=0)
    on_breach: Literal["", "freeze", "return", "page"] = ""
    soak: Report | None = None

    @property
    def wants_return(self) -> bool:
        """The soak found a breach and the configuration wants the way back: whoever can start it, shall."""
        return self.on_breach == "return"


def result_of(state: State, limits: Soak | None = None, report: Report | None = None) -> SwitchResult:
    """The figures of an attempt that has ended; `limits` and `report` are those of the soak."""
    order = sorted(state.entered.items(), key=lambda item: item[1])
    phases = {name: after[1] - at for (name, at), after in itertools.pairwise(order)}
    released = state.results.get("release")
    let_go = min(released.at_ms, state.hold_until_ms) if released else state.hold_until_ms
    held = max(0, let_go - state.hold_from_ms) if state.hold_from_ms else 0
    breach = state.reason if state.outcome == "switched" else ""
    return SwitchResult(
        outcome=state.outcome,
        serving={"switched": state.target, "aborted": state.source}.get(state.outcome, "unknown"),
        hold_ms=held,
        phases=phases,
        fence=state.fence,
        reason="" if breach else state.reason,
        breach=breach,
        windows=windows(state),
        on_breach=(limits or Soak()).on_breach if breach else "",
        soak=report if state.answered("soak") else None,
    )


def save_result(run_dir: Path, result: SwitchResult) -> None:
    """Leaves `cutover.json` in the run folder (0600), whole or not at all; the journal stays the authority."""
    replace_file(run_dir / RESULT, msgspec.json.encode(result) + b"\n")


def finish(state: State, run_dir: Path, limits: Soak | None = None) -> SwitchResult:
    """The result of a switch that is on green and well; else the error that carries it. Saved in both cases.

    A breach in the soak ends with 11: green serves, and whether it serves well is not known.
    """
    result = result_of(state, limits, load_report(run_dir))
    save_result(run_dir, result)
    if state.outcome == "switched" and not result.breach:
        return result
    error = _error(state, result)
    error.result = result
    raise error


def _error(state: State, result: SwitchResult) -> BmswitchError:
    if state.outcome == "switched":
        return UnknownError(
            f"traffic is on {state.target}, and the soak found a breach",
            evidence=result.breach,
            consequence=f"traffic stays on {state.target}: {state.source} lacks what clients wrote since the release",
            next_command=_NEXT[result.on_breach],
        )
    if state.outcome == "aborted":
        return AbortedError(
            f"the switch was put back: {state.reason}",
            evidence=_held(result),
            consequence=f"traffic is on {state.source}",
            next_command="bmswitch cutover, when the reason is gone",
        )
    return UnknownError(
        "the switch is frozen: what must be known can not be read",
        evidence=state.reason,
        consequence="no side was given traffic without proof; held clients are let go when the lease ends",
        next_command="bmswitch status, then bmswitch cutover --resume or --abort",
    )


def _held(result: SwitchResult) -> str:
    return f"clients were held for {result.hold_ms} ms" if result.hold_ms else "no client was held"
