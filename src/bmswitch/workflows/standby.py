"""Makes the side that served a fresh clone of the one that serves now, and keeps it so that `return` can go back to it.

Order: plan of the way back, its machines emptied and built anew, the new leader's log copied from the promotion on (nothing is
where both use one Kafka: what the new leader wrote is behind it), native clone, proof; then it follows until it is stopped or has been switched to. Blue's own data is not used again: a clone over old
data fails (clone-and-api.md 1.8), and blue's log holds all of it.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from bmswitch.model.config import Argv, Config
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BmswitchError, RefusedError
from bmswitch.model.plan import Plan
from bmswitch.model.status import ReplicateStatus
from bmswitch.model.switch import Result
from bmswitch.workflows import verify
from bmswitch.workflows.commands import run_command
from bmswitch.workflows.cutover_site import COMMAND_LOG
from bmswitch.workflows.facts.nodes import node_facts
from bmswitch.workflows.legs import Leg, current_leg, leg_of, promotion_before, require_way_back
from bmswitch.workflows.plan import load_plan, make_plan, refuse_stops, save_plan
from bmswitch.workflows.proof_files import Outcome, refusal
from bmswitch.workflows.provision import run_provision
from bmswitch.workflows.repair import repair
from bmswitch.workflows.replicate import Replicated, run_replicate
from bmswitch.workflows.rights import SideRights

Note = Callable[[str], None]


def open_standby(config: Config) -> Leg:
    """The leg for which a standby is built. Nothing is touched.

    Raises:
        RefusedError: no switch is done, it is not known where the logs stood then, or a proxy node points elsewhere.
        ConfigError: the configuration does not say how the machines are rebuilt.
    """
    leg = current_leg(config)
    if leg.number == 1:
        raise RefusedError(
            f"{config.serving} serves and was never switched away from: there is nothing to rebuild",
            consequence="nothing was done",
            next_command=f"bmswitch replicate keeps {config.standby} up to date",
        )
    require_way_back(leg)
    promotion_before(config, leg)
    _require_proxies(leg.config)
    return leg


def _require_proxies(config: Config) -> None:
    """A node that still points at the old side would let clients write to the clone: they would be lost.

    Raises:
        RefusedError: a node points there, or can not be read.
    """
    nodes = [node_facts(node) for node in config.proxies]
    astray = [f"{node.name}: {node.error or node.colour}" for node in nodes if node.colour != config.serving]
    if astray:
        raise RefusedError(
            f"not every proxy node is read back as pointing at {config.serving}",
            evidence="; ".join(astray),
            consequence=f"{config.standby} was not touched: clients could write to a clone there",
            next_command="bmswitch proxy check",
        )


def run_standby(
    config: Config,
    leg: Leg,
    *,
    tell: Callable[[ReplicateStatus], None],
    note: Note,
    stop: threading.Event,
    proven: Callable[[str], None] = lambda _verdict: None,
) -> Replicated:
    """Builds, copies, clones, proves, follows. Can be repeated: it goes on from where an earlier run was ended.

    `proven` hears the verdict of the proof once the standby is caught up.

    Raises:
        As `make_plan`, `run_provision` and `run_replicate` do; a proof that is not *equal* is told, not raised.
    """
    plan = _plan(leg)
    since = promotion_before(config, leg)
    run_provision(leg.config, plan, note)
    _give_rights_back(leg_of(config, leg.number - 1).config, plan)
    proving = _Proving(leg.config, plan, note, proven)

    def heard(status: ReplicateStatus) -> None:
        tell(status)
        if status.phase == "caught_up":
            proving.begin()

    try:
        return run_replicate(leg.config, plan, until_caught_up=False, tell=heard, stop=stop, since=since)
    finally:
        proving.join()


def _plan(leg: Leg) -> Plan:
    """The plan of this leg, made when there is none yet."""
    if leg.begun:
        return load_plan(leg.config)
    plan = make_plan(leg.config, back=leg.back)
    refuse_stops(plan)
    save_plan(plan, Path(leg.config.run_dir) / "plan.json")
    return plan


def _give_rights_back(before: Config, plan: Plan) -> None:
    """What the leg before withdrew from the side that is now a fresh clone: it must be able to lead again.

    Raises:
        RefusedError: a command or the bucket says no.
    """
    site, run_dir = before.source, Path(before.run_dir)
    if not site.rights.any:
        return
    timeout = site.core.timeout

    def run(command: Argv, kind: str, most: float) -> Result:
        return run_command(command, run_dir / COMMAND_LOG, min(timeout, most), kind)

    rights = SideRights(before, before.serving, plan.source.installation_id, run, lambda: None)
    given = rights.give_back(time.monotonic() + timeout)
    if given.answer != "yes":
        raise RefusedError(
            f"{before.serving}'s rights to write could not be given back",
            evidence=given.said,
            consequence=f"traffic stays on {before.standby}",
            next_command="mend it, then bmswitch standby",
        )


class _Proving:
    """One full proof in a thread of its own, begun when the standby is caught up for the first time."""

    def __init__(self, config: Config, plan: Plan, note: Note, proven: Callable[[str], None]) -> None:
        self._config, self._plan, self._note, self._proven = config, plan, note, proven
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Starts it, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="proof", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Waits a moment for it: a proof that is cut short leaves no verdict."""
        if self._thread is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        try:
            outcome = verify.verify(
                self._config, self._plan, options=verify.Options(), shown=lambda _text: None
            )
            outcome = self._mended(outcome)
        except BmswitchError as error:
            self._note(f"the proof could not be made: {error.cause} {error.evidence}; bmswitch verify")
            self._proven("unknown")
            return
        refused = refusal(outcome.proof, Path(self._config.run_dir))
        self._note(
            f"{self._config.standby} equals {self._config.serving}: bmswitch return can go back to it"
            if refused is None
            else f"{refused.cause}; {refused.next_command}"
        )
        self._proven(outcome.proof.verdict)

    def _mended(self, outcome: Outcome) -> Outcome:
        """Where nothing is copied nothing was cured: what REST can mend on the standby is mended before it is judged."""
        if self._config.replication.mode != "shared" or outcome.proof.verdict != "different":
            return outcome

        def confirm(todo: list[Difference]) -> None:
            self._note(
                f"{len(todo)} items are mended on {self._config.standby}: nothing was cured on their way"
            )

        return repair(self._config, self._plan, outcome, confirm, lambda _text: None).outcome
