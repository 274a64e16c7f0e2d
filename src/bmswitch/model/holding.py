"""What a worker keeps with each committed place, so that its successor knows whether an old record may still be written late.

A worker that was frozen may wake at any time and send what it had queued. Everything it can still send begins at the place that it had
committed last: `since`. While such a worker may live, `since` goes from owner to owner. `end` is how far the target's partition
must reach: what is beyond was written by somebody else. Docs: docs/decisions/0008.
"""

import msgspec

NONE = "-"
CLEAN, OPEN = "clean", "open"


class Note(msgspec.Struct, frozen=True):
    """What a text says. `since`: the first offset that a frozen worker may still write, None when there is none. `end`: the target's end offset that
    the last owner left, None while it works or when it vanished: then the place was not handed over.

    `known` is false when one process alone wrote so far: there is no frozen worker then.
    """

    since: int | None = None
    end: int | None = None
    known: bool = False


class Takeover(msgspec.Struct, frozen=True):
    """Where a new owner begins, and from where it writes everything again when a foreign record appears."""

    start: int
    since: int | None
    unclean: bool


def written(since: int | None, end: int | None) -> str:
    """The text that is committed beside the offset."""
    return f"{NONE if since is None else since} {OPEN if end is None else end}"


def read(text: str) -> Note:
    """The note of a text; one that is empty or not ours knows nothing."""
    since, _, end = text.partition(" ")
    if not (since == NONE or since.isdecimal()) or not (end == OPEN or end.isdecimal()):
        return Note()
    return Note(None if since == NONE else int(since), int(end) if end.isdecimal() else None, known=True)


def takeover(offset: int, note: Note, target_end: int) -> Takeover:
    """What a new owner does with a place that was committed at `offset`.

    - Nobody shared the work before: it goes on.
    - The last owner handed it over: it goes on; if somebody wrote to the target since, from `since` on again.
    - The last owner vanished: what it may still send begins at `offset` or at an older `since`, so it begins there.
    """
    if not note.known:
        return Takeover(offset, None, unclean=False)
    if note.end is None:
        since = offset if note.since is None else min(note.since, offset)
        return Takeover(since, since, unclean=True)
    if note.since is not None and target_end != note.end:
        return Takeover(min(note.since, offset), note.since, unclean=True)
    return Takeover(offset, note.since, unclean=False)
