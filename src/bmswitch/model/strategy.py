"""Which way of upgrading fits a site: blue/green, in place, or a clone that is looked at first; by its size, its versions and its room.

BlueMind's operators tell the ways apart by the size of the installation: a small one is upgraded where it stands, in a maintenance
window; a large one can not be away for as long as that takes.
"""

from typing import Literal

import msgspec

from bmswitch.model.config import PlanRules

Way = Literal["blue-green", "in-place", "clone-first"]
WAYS: tuple[Way, ...] = ("blue-green", "in-place", "clone-first")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What the choice rests on. `room` says why there is none for a second infrastructure, empty when there is.

    `proven` counts earlier proofs of this site that said equal, from the same version to the same one.
    """

    mailboxes: int
    source_version: str
    target_version: str
    room: str
    proven: int
    back: bool = False


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """The way that fits, why, and why not the others."""

    way: Way
    why: list[str]
    not_others: dict[str, str]


def choose(case: Case, rules: PlanRules) -> Strategy:
    """One way, with its reasons; the same case always gives the same."""
    if case.back:
        return Strategy(
            way="blue-green",
            why=["the way back: the side that served becomes a clone of the one that serves"],
            not_others={},
        )
    same = _line(case.source_version) == _line(case.target_version)
    size = f"{case.mailboxes:,} mailboxes"
    if not case.room and not same and case.mailboxes <= rules.small:
        return Strategy(
            way="in-place",
            why=[
                f"{size}: not more than {rules.small:,} (plan.small), so a maintenance window is short",
                "bmswitch carries out blue/green only: the steps below do it with no window at all",
            ],
            not_others={
                "blue-green": "worth a second infrastructure when nobody may notice the upgrade",
                "clone-first": "a site of this size is quicker upgraded than looked at",
            },
        )
    why = [f"{size}: an upgrade in place would keep them away for as long as it takes"]
    if same:
        why = [
            f"both sides run {_line(case.target_version)}: only the machines change, which nothing in place can do"
        ]
    if case.room:
        why.append(f"needs room that is not seen yet: {case.room}")
    others = {"in-place": "no way back but a restore, and away while it runs"}
    if not case.proven and not same and case.mailboxes > rules.large:
        lines = f"{_line(case.source_version)} to {_line(case.target_version)}"
        return Strategy(
            way="clone-first",
            why=[
                *why,
                f"more than {rules.large:,} mailboxes (plan.large), and no proof of this site from {lines} yet",
                "provision, replicate and verify touch no client: run them, use green with test accounts, then plan again",
            ],
            not_others={**others, "blue-green": "right once a proof of this site has said equal"},
        )
    if case.proven:
        why.append(f"{case.proven} earlier proofs of this site said equal")
    return Strategy(
        way="blue-green",
        why=why,
        not_others={
            **others,
            "clone-first": "the first three steps are that: stop before the cutover if you like",
        },
    )


def _line(version: str) -> str:
    """The product line: 5.1 of 5.1.0.3."""
    return ".".join(version.split(".")[:2])
