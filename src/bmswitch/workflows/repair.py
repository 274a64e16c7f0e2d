"""`verify --repair`: mends on the clone what REST can mend, after a proof has named it. The side that serves is only read.

Each mend is journalled before and after its effect (`repair.ndjson`), and proved again afterwards: what a call answered counts
for nothing. Values are read at the last moment, so a source that changed meanwhile is copied as it is now.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.bluemind.pen import Pen
from bmswitch.journal.lock import Lock
from bmswitch.journal.notes import Notes
from bmswitch.kafka.topics import Topics
from bmswitch.model.accepting import counted_names
from bmswitch.model.config import Colour, Config
from bmswitch.model.differences import Difference, Place
from bmswitch.model.errors import BmswitchError, RefusedError
from bmswitch.model.plan import Plan
from bmswitch.model.proof import Position, verdict_of
from bmswitch.model.topics import CRP
from bmswitch.parity.located import Spot, place_of
from bmswitch.parity.mends import mend_of
from bmswitch.parity.report import counted
from bmswitch.parity.sides import ENTRIES, ENTRY, Sides
from bmswitch.parity.suspects import Settled, Suspects, settle, unexplained
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.proof_files import Outcome, save
from bmswitch.workflows.sites import open_core, verification
from bmswitch.workflows.tail import Log, open_log, watching
from bmswitch.workflows.verify import first_of, open_bulk

NOTES_FILE = "repair.ndjson"
CLONING = "CORE_STATE_CLONING"
_ROUNDS = 6
_LOG_WITHIN = 60.0

State = Literal["begun", "written", "refused", "equal", "still different"]
Confirm = Callable[[list[Difference]], None]
"""Shown what would be mended; raises when that is not wanted."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One line of repair.ndjson; `at` is epoch seconds. Values are never in it."""

    at: float
    state: State
    domain: str
    owner: str
    container: str
    type: str
    item: str
    repair: str
    said: str = ""


@dataclass
class Repaired:
    """The proof after the repair, and what became of each mend."""

    outcome: Outcome
    notes: list[Note] = field(default_factory=list)

    def count(self, state: State) -> int:
        """How many mends ended so."""
        return sum(note.state == state for note in self.notes)


@dataclass
class Tools:
    """What a repair needs of the world; `state` is the target's, `barrier` blocks until everything written has passed."""

    source: Pen
    target: Pen
    bulks: Callable[[], tuple[Bulk, Bulk]]
    state: Callable[[], str]
    barrier: Callable[[], object]
    newer: bool = False
    position: Callable[[], Position] = dict
    log: Callable[[Position], Log] | None = None


def mendable(found: Iterable[Difference]) -> list[Difference]:
    """One difference for each item that can be mended; known ones are left as they are."""
    items: dict[tuple[Place, str], Difference] = {}
    for one in found:
        if one.repair and not one.known:
            items.setdefault((place_of(one), one.item), one)
    return list(items.values())


def repair(
    config: Config, plan: Plan, outcome: Outcome, confirm: Confirm, shown: Callable[[str], None]
) -> Repaired:
    """Mends, proves again, and writes the proof anew.

    Raises:
        RefusedError: the target is no clone any more (it leads), or the operator does not want it; nothing was written.
        BusyError: another repair works in this run folder.
        BmswitchError: a side can not be read; what was written is in repair.ndjson.
    """
    source, target = open_core(config, config.serving), open_core(config, config.standby)
    topics = {name: count for name, count in plan.source.topics.items() if not name.endswith(CRP)}
    reader = Topics(config.source.kafka)
    tools = Tools(
        source=_pen(config, config.serving),
        target=_pen(config, config.standby),
        bulks=lambda: (open_bulk(config, config.serving), open_bulk(config, config.standby)),
        state=target.state,
        barrier=lambda: run_barrier(source, target, plan.source.domains, timeout=60.0),
        newer=source.version().software_version != target.version().software_version,
        position=lambda: reader.ends(topics),
        log=lambda start: open_log(config, f"bmswitch-repair-{plan.id}", start),
    )
    run_dir = Path(config.run_dir)
    try:
        with Lock(run_dir / "repair.lock", "verify --repair"):
            repaired = mend_all(tools, outcome, run_dir, confirm, shown)
    finally:
        for each in (source, target, tools.source, tools.target):
            each.close()
    save(run_dir, repaired.outcome, source=config.serving, target=config.standby)
    return repaired


def _pen(config: Config, colour: Colour) -> Pen:
    site = config.site(colour)
    return Pen(site.url, read_secret(site.token), verify=verification(site.tls), name=colour)


def mend_all(
    tools: Tools, outcome: Outcome, run_dir: Path, confirm: Confirm, shown: Callable[[str], None]
) -> Repaired:
    """The repair itself, on whatever the tools reach."""
    todo = mendable(outcome.differences)
    if not todo:
        return Repaired(outcome)
    state = tools.state()
    if state != CLONING:
        raise RefusedError(
            f"{tools.target.name} is no clone: only a clone is mended",
            evidence=state,
            consequence="nothing was written",
            next_command="bmswitch status",
        )
    confirm(todo)
    repaired = Repaired(outcome)
    with Notes(run_dir / NOTES_FILE) as notes:

        def note(one: Difference, state: State, said: str = "") -> None:
            made = _note(one, state, said)
            notes.append(made)
            repaired.notes.append(made)

        written = []
        for number, one in enumerate(todo, 1):
            shown(f"mending {number} of {len(todo)}: {one.type} {one.item} of {one.owner}")
            note(one, "begun")
            fault = _mend(tools, one)
            note(one, "refused" if fault else "written", fault)
            if not fault:
                written.append(one)
        shown(f"reading {len(written)} mended items again on both sides")
        settled = _again(tools, written)
        left = [*settled.differences, *settled.unsettled]
        bad = {(place_of(one), one.item) for one in left}
        for one in written:
            note(one, "still different" if bad.intersection(_spots(one)) else "equal")
        repaired.outcome = _proved(outcome, written, settled)
    return repaired


def _spots(one: Difference) -> list[Spot]:
    """What a mend writes: an entry's value and what the directory shows of it change together."""
    if one.type not in (ENTRIES, ENTRY):
        return [(place_of(one), one.item)]
    uid = one.item if one.type == ENTRIES else one.owner
    return [
        (Place(one.domain, "system", one.domain, ENTRIES), uid),
        (Place(one.domain, uid, "", ENTRY), "value"),
    ]


def _mend(tools: Tools, one: Difference) -> str:
    """What went wrong; empty when it was written."""
    mend = mend_of(one)
    if mend is None:
        return "there is no way to mend it"
    try:
        mend.work(tools.source, tools.target, one)
    except BmswitchError as error:
        return f"{error.cause} {error.evidence}".strip()
    return ""


def _note(one: Difference, state: State, said: str) -> Note:
    return Note(
        at=time.time(),
        state=state,
        domain=one.domain,
        owner=one.owner,
        container=one.container,
        type=one.type,
        item=one.item,
        repair=one.repair or "",
        said=said,
    )


def _again(tools: Tools, written: list[Difference]) -> Settled:
    """Both sides of what was mended, read as a proof reads suspects."""
    suspects: dict[Place, Suspects] = {}
    for one in written:
        for place, item in _spots(one):
            suspects.setdefault(place, {})[item] = (None, frozenset())

    async def work() -> Settled:
        source, target = tools.bulks()
        async with source, target:
            sides = Sides(source, target, newer=tools.newer)
            for place in suspects:
                await sides.learn(place.domain, {place.owner})
            async with watching(tools.position, tools.log, _LOG_WITHIN) as moved:
                return await settle(
                    sides, suspects, lambda: asyncio.to_thread(tools.barrier), rounds=_ROUNDS, moved=moved
                )

    try:
        return asyncio.run(work())
    except ExceptionGroup as group:
        raise first_of(group) from group


def _proved(outcome: Outcome, written: list[Difference], settled: Settled) -> Outcome:
    """The proof without what is mended, with what still differs."""
    gone = {spot for one in written for spot in _spots(one)}
    found = [one for one in outcome.differences if (place_of(one), one.item) not in gone]
    before = {(place_of(one), one.item): one for one in outcome.differences}
    still = [_as_before(one, before.get((place_of(one), one.item))) for one in settled.differences]
    found += [*still, *settled.unsettled]
    old = {(place_of(one), one.item) for one in outcome.unsettled} - gone
    unsettled = outcome.proof.unsettled - len(outcome.unsettled) + len(old) + len(settled.unsettled)
    certain = [one for one in found if one not in settled.unsettled and one not in outcome.unsettled]
    bad = unexplained(certain)
    proof = msgspec.structs.replace(
        outcome.proof,
        verdict=verdict_of(differences=len(bad), unsettled=unsettled),
        differences=len(bad),
        unsettled=unsettled,
        names=counted_names(certain),
        dimensions=counted(outcome.proof.dimensions, certain),
        repaired=len(written),
    )
    return Outcome(proof, found, settled.unsettled)


def _as_before(one: Difference, before: Difference | None) -> Difference:
    """With the record and cause that the proof found."""
    if before is None:
        return one
    return msgspec.structs.replace(one, record=before.record, cause=before.cause, repair=before.repair)
