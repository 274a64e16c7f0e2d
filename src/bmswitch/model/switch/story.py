"""Lines of the journal as sentences for people."""

from bmswitch.model.config import other
from bmswitch.model.switch.state import Entry

_ANSWERS = {"yes": "is done", "no": "answered no", "unknown": "is not known to be done"}
_OWN = "took_ms"


def told(entry: Entry) -> str:
    """What one line says; empty for one that tells nothing."""
    if entry.kind == "intent":
        return f"{entry.said} ({entry.verb})"
    if entry.kind == "effect" and entry.result:
        facts = {name: value for name, value in entry.result.facts.items() if name != _OWN}
        took = f" in {entry.result.facts[_OWN]} ms" if _OWN in entry.result.facts else ""
        said = f": {entry.result.said}" if entry.result.said else ""
        shown = ", ".join(f"{name} {value}" for name, value in facts.items())
        return f"{entry.verb} {_ANSWERS[entry.result.answer]}{took}{said}" + (f" ({shown})" if shown else "")
    if entry.kind == "phase":
        return f"waits: {entry.said}"
    sentences = {
        "start": f"the switch from {entry.source} to {other(entry.source)} begins, with fence {entry.fence}",
        "resume": f"bmswitch is started again, with fence {entry.fence}",
        "abort": f"turns back, with fence {entry.fence}: {entry.said}",
        "onward": f"turns forward again, with fence {entry.fence}: {entry.said}",
        "end": f"ends as {entry.outcome}: {entry.said or 'all is well'}",
    }
    return sentences.get(entry.kind, entry.said)
