"""What can be known from outside about each hazard: one pure guard a file, named after what it makes sure of.

A guard takes the facts and answers with one `Finding`. To add one: its file, a line in `catalogue.py`, and what it must look
at in `facts.py` with a reader in `workflows/facts`. Which hazard each of them is for: docs/hazards.md, made from them.
"""

from collections.abc import Iterable

from bmswitch.model.decisions import Skip
from bmswitch.model.guards.catalogue import GUARDS, asked_at
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import Guard, Moment
from bmswitch.model.guards.skipping import marked
from bmswitch.model.plan import Finding

__all__ = ["GUARDS", "Facts", "Guard", "Moment", "ask", "asked_at", "refusals"]


def ask(facts: Facts, moment: Moment, skips: Iterable[Skip] = (), only: Iterable[str] = ()) -> list[Finding]:
    """The answers of all guards that are asked at `moment`, in order; of those named `only`, when any are."""
    names, left_out = set(only), list(skips)
    return [marked(guard(facts), left_out) for guard in asked_at(moment) if not names or guard.name in names]


def refusals(findings: list[Finding]) -> list[Finding]:
    """Those that forbid to go on: `unknown` is never a pass."""
    return [finding for finding in findings if finding.forbids]
