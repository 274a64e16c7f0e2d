"""The 54 hazards of a switch (traffic-and-objects.md part C) and what bmswitch does about each: the data of docs/hazards.md."""

from bmswitch.model.hazards import loss, twice, users
from bmswitch.model.hazards.hazard import MEANS, Hazard, State

__all__ = ["MEANS", "PARTS", "Hazard", "State"]

PARTS: tuple[tuple[str, tuple[Hazard, ...]], ...] = (
    ("Loss of data", loss.HAZARDS),
    ("What users see", users.HAZARDS),
    ("Done twice, or at the wrong time", twice.HAZARDS),
)
