"""What a guard is: a pure function from facts to one finding, with the hazards it is for and the moments it is asked at."""

from collections.abc import Callable
from typing import Literal

import msgspec

from bmswitch.model.guards.facts import Facts
from bmswitch.model.plan import Finding

Moment = Literal["plan", "gate"]
BOTH: tuple[Moment, ...] = ("plan", "gate")
PLAN: tuple[Moment, ...] = ("plan",)
GATE: tuple[Moment, ...] = ("gate",)
Look = Callable[[Facts], Finding]


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """One guard. `hazards` are numbers of traffic-and-objects.md part C; none: it closes a gap named in its docstring.

    `asked`: `plan` before anything is done, `gate` at the last moment before the hold; `says` is the first line of
    its docstring: what is so when it passes.
    """

    name: str
    says: str
    hazards: tuple[int, ...]
    asked: tuple[Moment, ...]
    look: Look

    def __call__(self, facts: Facts) -> Finding:
        """The finding, under the guard's name."""
        return msgspec.structs.replace(self.look(facts), guard=self.name)


def guard(*hazards: int, asked: tuple[Moment, ...] = BOTH) -> Callable[[Look], Guard]:
    """Makes a guard of a function: `@guard(14, 17)` above `def retention_long(facts)`."""

    def make(look: Look) -> Guard:
        name = getattr(look, "__name__", "")
        says = (look.__doc__ or "").split("\n\n", 1)[0]
        return Guard(name=name, says=" ".join(says.split()), hazards=hazards, asked=asked, look=look)

    return make
