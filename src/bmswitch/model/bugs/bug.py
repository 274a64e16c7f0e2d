"""One bug of BlueMind's replay that its history tells of, and what bmswitch does about it."""

from typing import Literal

import msgspec

Fate = Literal["cured", "kept", "checked", "outside"]
MEANS: dict[Fate, str] = {
    "cured": "a cure changes the stream, so that it can not happen on green",
    "kept": "how bmswitch reads, keeps and writes the log rules it out",
    "checked": "a guard or the proof finds it, and the switch is refused",
    "outside": "made inside a core; no record could change it, and the row says why",
}


class Bug(msgspec.Struct, frozen=True):
    """A bug by its commits. `number` is that of change-log.md 10, 0 for one that only clone-and-api.md 8 has.

    `does` names cures, guards and files; `why` says what no record can change, empty unless the fate is `outside`.
    """

    number: int
    commits: tuple[str, ...]
    what: str
    fate: Fate
    does: str = ""
    why: str = ""
