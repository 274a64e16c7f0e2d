"""Which differences a plan accepts: by name, reason and who. Any other stops the switch."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from bmswitch.model.decisions import Accepted
from bmswitch.model.differences import KNOWN, Difference

ANY = -1
US = "bmswitch"
"""Who accepts what the native clone can not avoid."""


def name_of(found: Difference) -> str:
    """What a difference is accepted by: the name of its known reason, else its type and what differs (`calendar/main.summary`)."""
    for name, reason in KNOWN.items():
        if found.known == reason:
            return name
    what = found.what if found.side == "both" else f"{found.what}, only on {found.side}"
    return f"{found.type}/{what}"


def counted_names(found: Iterable[Difference]) -> dict[str, int]:
    """How many differences there are of each name, the most first."""
    return dict(Counter(name_of(one) for one in found).most_common())


def unavoidable(at: str) -> list[Accepted]:
    """What the native clone can not avoid, however many there are."""
    return [Accepted(name=name, reason=reason, who=US, at=at, at_most=ANY) for name, reason in KNOWN.items()]


def beyond(names: dict[str, int], accepted: Sequence[Accepted]) -> dict[str, int]:
    """Those that are not accepted, or are more than was accepted."""
    most = {one.name: one.at_most for one in accepted if one.reason and one.who}
    return {
        name: number
        for name, number in names.items()
        if name not in most or (most[name] != ANY and number > most[name])
    }


def refused(found: Sequence[Difference], accepted: Sequence[Accepted]) -> list[Difference]:
    """The differences that the plan does not accept."""
    wrong = beyond(counted_names(found), accepted)
    return [one for one in found if name_of(one) in wrong]


def types_of(accepted: Sequence[Accepted]) -> frozenset[str]:
    """Container types in which somebody accepted something: waiting for them to be equal is in vain."""
    return frozenset(one.name.partition("/")[0] for one in accepted if "/" in one.name)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How a proof stands to a plan: names that are not accepted, and those that are, with their numbers and who."""

    wrong: dict[str, int]
    fine: list[str]


def judged(names: dict[str, int], accepted: Sequence[Accepted]) -> Judged:
    """Splits the differences of a proof."""
    wrong, who = beyond(names, accepted), {one.name: one.who for one in accepted}
    fine = [f"{number} {name} by {who[name]}" for name, number in names.items() if name not in wrong]
    return Judged(wrong=wrong, fine=fine)
