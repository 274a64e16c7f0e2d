"""What people decide about a plan: skip a guard, approve it. Written into the file as it is, so that its id and its proof stay."""

import difflib
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bmswitch.journal.lock import Lock
from bmswitch.model.accepting import ANY
from bmswitch.model.config import Config
from bmswitch.model.decisions import Accepted, Approval, Skip
from bmswitch.model.differences import KNOWN
from bmswitch.model.errors import PlanError, RefusedError
from bmswitch.model.guards import GUARDS, asked_at
from bmswitch.model.guards.skipping import NEVER, marked
from bmswitch.model.plan import Plan
from bmswitch.workflows.plan import default_plan_path, load_plan, save_plan
from bmswitch.workflows.proof_files import load_proof

LOCK = "plan.lock"
_NAMES = tuple(guard.name for guard in GUARDS)


def known_guards(names: Sequence[str]) -> list[str]:
    """The names as they are.

    Raises:
        RefusedError: there is no guard of a name; tells the nearest.
    """
    for name in names:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=3, cutoff=0.3)
            raise RefusedError(
                f"there is no guard {name}",
                evidence=f"did you mean {' or '.join(near)}?" if near else "",
                next_command="bmswitch plan show names every guard",
            )
    return list(names)


def askable(names: Sequence[str]) -> list[str]:
    """Names of guards that `plan` asks.

    Raises:
        RefusedError: there is no such guard, or it is asked at the switch only.
    """
    for name in known_guards(names):
        if name not in {guard.name for guard in asked_at("plan")}:
            raise RefusedError(
                f"the guard {name} is asked at the switch only",
                next_command="bmswitch cutover --dry-run asks it and touches nothing",
            )
    return list(names)


def skips_of(names: Sequence[str], reasons: Sequence[str], who: str) -> list[Skip]:
    """One skip for each name, with the reason that was given beside it.

    Raises:
        RefusedError: no such guard, one that is never skipped, or no reason or name.
    """
    known_guards(names)
    for name in names:
        if name in NEVER:
            raise RefusedError(
                f"the guard {name} is never skipped",
                evidence=NEVER[name],
                consequence="the plan was not written",
                next_command="mend what it looks at: bmswitch plan and bmswitch cutover --dry-run say it",
            )
    if len(reasons) != len(names) or not all(reason.strip() for reason in reasons) or not who.strip():
        raise RefusedError(
            "a guard is skipped by reason and name only",
            evidence=f"{len(names)} guards, {len(reasons)} reasons, {'one' if who.strip() else 'no'} name",
            consequence="the plan was not written",
            next_command="--skip NAME --reason TEXT, once for each guard, and --who NAME",
        )
    at = _now()
    return [
        Skip(guard=name, reason=reason.strip(), who=who.strip(), at=at)
        for name, reason in zip(names, reasons, strict=True)
    ]


def unproven_version_allowed(who: str) -> list[Skip]:
    """The skip that `--allow-unproven-version` stands for, in the name of who is logged in when none is given."""
    return skips_of(["version_proven"], ["--allow-unproven-version"], who or getpass.getuser())


def add_skips(config: Config, path: Path | None, skips: list[Skip]) -> Plan:
    """The plan file with guards skipped: approvals that it had are void from then on, and stay readable."""
    path = path or default_plan_path(config)
    with _locked(path, "plan skip"):
        plan = load_plan(config, path)
        names = {one.guard for one in skips}
        kept = [one for one in plan.skips if one.guard not in names] + skips
        findings = [marked(msgspec.structs.replace(one, skipped=""), kept) for one in plan.findings]
        changed = msgspec.structs.replace(plan, skips=kept, findings=findings)
        save_plan(changed, path)
    return changed


def accept(config: Config, path: Path | None, names: Sequence[str], reason: str, who: str) -> Plan:
    """The plan file with differences accepted by name: as many of each as the last proof has found, and not one more.

    Raises:
        RefusedError: no proof has found such a difference, or no reason or name.
    """
    if not reason.strip() or not who.strip():
        raise RefusedError(
            "a difference is accepted by reason and name only",
            next_command="bmswitch plan accept NAME --reason TEXT --who NAME",
        )
    proof = load_proof(Path(config.run_dir))
    seen = (proof.names if proof else None) or {}
    for name in names:
        if name not in seen and name not in KNOWN:
            raise RefusedError(
                f"the last proof has found no difference {name}",
                evidence=f"it found: {', '.join(seen) or 'none'}; the clone can not avoid: {', '.join(KNOWN)}",
                next_command="bmswitch verify; its differences.ndjson has them all",
            )
    new = [
        Accepted(
            name=name,
            reason=reason.strip(),
            who=who.strip(),
            at=_now(),
            at_most=ANY if name in KNOWN else seen[name],
        )
        for name in names
    ]
    path = path or default_plan_path(config)
    with _locked(path, "plan accept"):
        plan = load_plan(config, path)
        kept = [one for one in plan.accepted if one.name not in set(names)]
        changed = msgspec.structs.replace(plan, accepted=[*kept, *new])
        save_plan(changed, path)
    return changed


def approve(config: Config, path: Path | None, who: str) -> Plan:
    """The plan file with one more approval, of exactly what is in it.

    Raises:
        PlanError: the plan says stop: it could not be carried out.
        RefusedError: no name, or the same person again.
    """
    path, who = path or default_plan_path(config), who.strip()
    if not who:
        raise RefusedError("a plan is approved by name only", next_command="bmswitch plan approve --who NAME")
    with _locked(path, "plan approve"):
        plan = load_plan(config, path)
        if plan.stops:
            raise PlanError(
                f"the plan says stop: {plan.stops[0].cause}",
                evidence=f"guard {plan.stops[0].guard}; {len(plan.stops)} in all",
                consequence="it was not approved",
                next_command="bmswitch plan show",
            )
        if any(one.who == who for one in plan.standing):
            raise RefusedError(
                f"{who} has approved this plan already",
                evidence=f"plan {plan.id}",
                next_command="bmswitch plan show",
            )
        changed = msgspec.structs.replace(
            plan, approvals=[*plan.approvals, Approval(who=who, at=_now(), of=plan.digest)]
        )
        save_plan(changed, path)
    return changed


def _locked(path: Path, command: str) -> Lock:
    """Two people who decide at the same moment: the second is told to do it again, and nobody's word is lost."""
    if not path.parent.is_dir():
        raise PlanError(f"there is no plan file {path}", next_command="bmswitch plan")
    return Lock(path.with_name(LOCK), command)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
