"""The journal as a story: each line with its phase."""

from bmswitch.model.switch import Entry
from bmswitch.model.switch.story import told


def line_of(entry: Entry) -> str:
    """One line of the journal for a person; empty for lines that tell nothing."""
    said = told(entry)
    return f"{entry.phase}: {said}" if said and entry.kind in ("intent", "effect", "phase") else said
