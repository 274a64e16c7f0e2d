"""One row of the table of hazards: what it is, where it stands, what bmswitch does beside its guards, what is left."""

from typing import Literal

import msgspec

State = Literal["closed", "checked", "outside"]
MEANS: dict[State, str] = {
    "closed": "bmswitch prevents it, or refuses to go on",
    "checked": "bmswitch checks what can be seen from outside and says it; the row says what can not, and what you must do",
    "outside": "nothing of it can be seen from outside; the row says why, and what you must do",
}


class Hazard(msgspec.Struct, frozen=True):
    """A hazard of traffic-and-objects.md part C, by its number there.

    `does` names cures, phases and commands; guards are added by their own word (`Guard.hazards`). `why` says what can
    not be checked from outside, `do` what the operator must do about it: both empty only when it is closed.
    """

    number: int
    what: str
    state: State
    does: str = ""
    why: str = ""
    do: str = ""
