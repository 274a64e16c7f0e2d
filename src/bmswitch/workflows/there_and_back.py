"""There and back on the real site: `cutover --rehearse`, and `soak.on_breach: return`."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.config import Config
from bmswitch.model.errors import AbortedError, BmswitchError, UnknownError
from bmswitch.model.plan import Plan
from bmswitch.workflows.cutover import Hooks, start_switch
from bmswitch.workflows.cutover_result import SwitchResult
from bmswitch.workflows.legs import leg_of, leg_to_switch, require_way_back
from bmswitch.workflows.plan import load_plan
from bmswitch.workflows.standby import open_standby, run_standby

REPORT = "rehearsal.json"
_LOOK = 0.2


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Both ways and what lay between, in seconds; `rehearsal.json` in the run folder."""

    there: SwitchResult
    standby_seconds: float
    back: SwitchResult
    seconds: float


Lend = Callable[[Config, str], AbstractContextManager[Hooks]]
"""Gives each of the two switches its hooks."""


def rehearse(config: Config, plan: Plan, lend: Lend, note: Callable[[str], None]) -> Rehearsal:
    """There and back. What goes wrong on the way ends it where it stands: the journals say where that is.

    Raises:
        ConfigError: the configuration does not say how the standby is built; nothing was done.
        As `start_switch` and `run_standby` do.
    """
    leg = leg_to_switch(config, back=False)
    require_way_back(leg_of(config, leg.number + 1))
    began = time.monotonic()
    with lend(leg.config, "cutover") as hooks:
        there = start_switch(leg.config, plan, hooks)
    back, built = come_back(config, lend, note)
    result = Rehearsal(there=there, standby_seconds=built, back=back, seconds=_since(began))
    replace_file(Path(config.run_dir) / REPORT, msgspec.json.encode(result) + b"\n")
    return result


def come_back(config: Config, lend: Lend, note: Callable[[str], None]) -> tuple[SwitchResult, float]:
    """Builds the standby and returns to it as soon as it is proven equal: the switch's result and the standby's seconds.

    Raises:
        As `run_standby` and `start_switch` do.
    """
    began, leg = time.monotonic(), open_standby(config)
    note(f"{leg.config.serving} serves; a standby is built on {leg.config.standby}")
    with _Standby(config, note) as standby:
        standby.wait()
        built = _since(began)
        with lend(leg.config, "return") as hooks:
            return start_switch(leg.config, load_plan(leg.config), hooks), built


def breached(error: BmswitchError) -> SwitchResult | None:
    """The switch whose soak found a breach, when the configuration wants the way back then."""
    found = error.result
    return found if isinstance(found, SwitchResult) and found.wants_return else None


def after_breach(
    there: SwitchResult, config: Config, lend: Lend, note: Callable[[str], None]
) -> AbortedError:
    """Goes back; the error to end with. `config` is as it is in the file.

    Raises:
        As `come_back` does: traffic is then still on the upgraded side.
    """
    note(f"the soak found a breach: {there.breach}; going back, as soak.on_breach says")
    back, built = come_back(config, lend, note)
    error = AbortedError(
        "the soak found a breach, and the switch was taken back with everything that was written since",
        evidence=f"{there.breach}; clients were held for {there.hold_ms} and {back.hold_ms} ms, {built:.0f} s between",
        consequence=f"traffic is on {back.serving}",
        next_command="mend what the evidence names, then bmswitch standby and bmswitch cutover",
    )
    error.result = back
    return error


def _since(began: float) -> float:
    return round(time.monotonic() - began, 2)


class _Standby:
    """`bmswitch standby` in a thread: it ends by itself once it was switched to, and is stopped when it was not."""

    def __init__(self, config: Config, note: Callable[[str], None]) -> None:
        self._config, self._note = config, note
        self._stop, self._proven = threading.Event(), threading.Event()
        self._verdict = ""
        self._error: BmswitchError | None = None
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(5.0)
        self._stop.set()
        self._thread.join(30.0)

    def wait(self) -> None:
        """Until the standby is proven equal. Raises what ended it, UnknownError for another verdict."""
        while not self._proven.wait(_LOOK):
            if not self._thread.is_alive():
                break
        if self._error is not None:
            raise self._error
        if self._verdict != "equal":
            raise UnknownError(
                f"the standby is not proven equal: {self._verdict or 'it ended before its proof'}",
                consequence="traffic stays where it is: on the upgraded side",
                next_command="bmswitch standby, then bmswitch return",
            )

    def _run(self) -> None:
        try:
            run_standby(
                self._config,
                open_standby(self._config),
                tell=lambda _status: None,
                note=self._note,
                stop=self._stop,
                proven=self._heard,
            )
        except BmswitchError as error:
            self._error = error

    def _heard(self, verdict: str) -> None:
        self._verdict = verdict
        self._proven.set()
