"""The journal as sentences."""

from bmswitch.model.config import other
from bmswitch.model.switch import Entry

_ANSWERS = {"yes": "is done", "no": "was refused", "unknown": "is not known to be done"}


def line_of(entry: Entry) -> str:
    """One line of the journal for a person; empty for lines that tell nothing."""
    if entry.kind == "intent":
        return f"{entry.phase}: {entry.said} ({entry.verb}, fence {entry.fence})"
    if entry.kind == "effect" and entry.result:
        said = f": {entry.result.said}" if entry.result.said else ""
        return f"{entry.phase}: {entry.verb} {_ANSWERS[entry.result.answer]}{said}"
    if entry.kind == "phase":
        return f"{entry.phase}: waits, {entry.said}"
    told = {
        "start": f"the switch from {entry.source} to {other(entry.source)} begins",
        "resume": f"bmswitch is started again, at {entry.phase}, with fence {entry.fence}",
        "abort": f"turns back, with fence {entry.fence}: {entry.said}",
        "onward": f"turns forward again, with fence {entry.fence}: {entry.said}",
        "end": f"ends as {entry.outcome}: {entry.said or 'all is well'}",
    }
    return told.get(entry.kind, "")
