"""Earlier runs of a site: what was predicted, what it took. One line each in `history.ndjson`."""

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.estimates import Estimate


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One command that came to its end. `seconds`: how long it took; for a switch, how long clients were held.

    `records` were in the source's log when it was planned: times are scaled by them. `said` is how it ended (`equal`, `switched`, ...).
    """

    at: str
    plan_id: str
    step: str
    source: Colour
    source_version: str
    target_version: str
    records: int
    seconds: float
    said: str = ""
    predicted: Estimate | None = None

    @property
    def kept(self) -> bool | None:
        """The prediction held; None when there was none."""
        return self.predicted.holds(self.seconds) if self.predicted is not None else None


def of_step(runs: list[Run], step: str, most: int = 10) -> list[Run]:
    """The newest runs of one step that came to a good end; `return` and `cutover` are the same switch."""
    names = {"cutover", "return"} if step in {"cutover", "return"} else {step}
    good = {"", "built", "caught up", "equal", "different", "switched"}
    return [run for run in runs if run.step in names and run.said in good][-most:]
