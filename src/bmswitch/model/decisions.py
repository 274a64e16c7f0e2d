"""What people decided about a plan: guards that are skipped, who approved it. Written into the plan file, with reason and name.

Names are what was typed: nobody is authenticated here. What makes them worth something is who may write the file, and the merge
request that it is read in.
"""

import msgspec


class Skip(msgspec.Struct, frozen=True, kw_only=True):
    """One guard that does not forbid to go on, whatever it says. `at` is ISO 8601 in UTC."""

    guard: str
    reason: str
    who: str
    at: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of one name that do not stop a switch, at most so many (-1: any number). `at` is ISO 8601 in UTC."""

    name: str
    reason: str
    who: str
    at: str
    at_most: int


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One person's yes to the plan whose digest is `of`: void once anything in the plan changes."""

    who: str
    at: str
    of: str
