"""Looks for every acknowledged write of a ledger on the installation that serves now.

It reads over REST, in bulk, as an administrator: item lists and values of each container, records and bodies of each
mail folder. `lost`: an acknowledged write is not there, or something else is. `duplicated`: it is there more than once.
A write that a later acknowledged write on the same object has replaced can not be seen any more: it counts as
`superseded`, and the later one answers for both.
"""

import asyncio
from collections import Counter, defaultdict
from pathlib import Path

import aiohttp
import msgspec

from bmswitch.lab.traffic.ledger import Expected, fold, read_ledger
from bmswitch.lab.traffic.serving import Serving, State
from bmswitch.lab.traffic.windows import Window, windows

_NAMED = 20
_AT_ONCE = 8


class Finding(msgspec.Struct, frozen=True):
    """One write that is not as it should be: what was found instead of what."""

    object: str
    write: str
    expected: list[str]
    found: list[str]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the writes of one ledger.

    `checked` objects (or flags of a mail) answer for `acknowledged` writes, of which `superseded` were replaced by
    later ones. `unknown_present`: writes without an answer that did happen; `refused_present`: mails that were refused
    and are there all the same. `windows` are the hand-overs from side to side. `first_lost` and `first_duplicated` name the first 20 of each.
    """

    schema: int = 1
    acknowledged: int
    checked: int
    superseded: int
    lost: int
    duplicated: int
    unknown: int
    unknown_present: int
    refused: int
    refused_present: int
    first_lost: list[Finding]
    first_duplicated: list[Finding]
    windows: list[Window] = []

    @property
    def overlap_ms(self) -> float:
        """The longest time in which both sides executed writes."""
        return max((window.overlap_ms for window in self.windows), default=0.0)

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing twice, never both sides at a time."""
        return not self.lost and not self.duplicated and not self.overlap_ms


async def check_ledger(ledger: Path, core_url: str, token: str, domain: str) -> Verdict:
    """Read a ledger, read the serving side, compare. Errors: UnreachableError, AccessError, UnknownError."""
    entries = list(read_ledger(ledger))
    expected = fold(entries)
    places: dict[str, list[str]] = defaultdict(list)
    for each in expected:
        places[_place(each.object)].append(each.object)
    gate = asyncio.Semaphore(_AT_ONCE)
    state = State()
    async with aiohttp.ClientSession(headers={"X-BM-ApiKey": token}) as session:
        serving = Serving(session, core_url.rstrip("/"), domain)

        async def read(place: str, names: list[str]) -> None:
            async with gate:
                state.merge(await serving.read(place, names))

        await asyncio.gather(*(read(place, names) for place, names in places.items()))
    return msgspec.structs.replace(judge(expected, state), windows=windows(entries))


def judge(expected: list[Expected], state: State) -> Verdict:
    """Compare folded expectations with what was read. Pure."""
    lost: list[Finding] = []
    duplicated: list[Finding] = []
    counts: Counter[str] = Counter()
    for each in expected:
        found = state.seen(each.object, flags=_about_flags(each))
        counts["acknowledged"] += each.acknowledged
        counts["superseded"] += max(0, each.acknowledged - 1)
        counts["unknown"] += len(each.unknown)
        counts["refused"] += len(each.refused)
        counts["unknown_present"] += sum(_shows(found, wanted) for wanted in each.unknown)
        counts["refused_present"] += sum(
            wanted == "once" and _shows(found, wanted) for wanted in each.refused
        )
        if each.acknowledged:
            counts["checked"] += 1
            if not any(_shows(found, wanted) for wanted in each.allowed):
                lost.append(_finding(each, found))
        if len(found) > 1 and (each.acknowledged or each.unknown):
            duplicated.append(_finding(each, found))
    return Verdict(
        acknowledged=counts["acknowledged"],
        checked=counts["checked"],
        superseded=counts["superseded"],
        lost=len(lost),
        duplicated=len(duplicated),
        unknown=counts["unknown"],
        unknown_present=counts["unknown_present"],
        refused=counts["refused"],
        refused_present=counts["refused_present"],
        first_lost=lost[:_NAMED],
        first_duplicated=duplicated[:_NAMED],
    )


def _shows(found: list[str], wanted: str) -> bool:
    """Whether what was found is the state that was wanted; a mail must be there, how often is judged apart."""
    if wanted == "absent":
        return not found
    if wanted == "once":
        return bool(found)
    return wanted in found


def _about_flags(expected: Expected) -> bool:
    states = [*expected.allowed, *expected.unknown, *expected.refused]
    return any(state.startswith("flags:") for state in states)


def _finding(expected: Expected, found: list[str]) -> Finding:
    return Finding(expected.object, expected.last_id, sorted(expected.allowed), found)


def _place(name: str) -> str:
    """Container of an item, or user and folder of a mail."""
    return name.rpartition("/")[0]
