"""Folders and mail records: what needs more than the table says (uid rules, UIDVALIDITY, UIDNEXT)."""

from bmswitch.model.digest import Print

RECORDS_PREFIX = "mbox_records_"
UID_VALIDITY = "uidValidity"
UID_NEXT = "lastUid"


def folder_of(container: str) -> str:
    """The folder uid of a container of mail records."""
    return container.removeprefix(RECORDS_PREFIX)


def uid_next_is_safe(source: Print, target: Print) -> bool:
    """True when the two folders differ by nothing but a UIDNEXT that is ahead on the target.

    What matters is that no IMAP UID can be given twice (traffic-and-objects.md A9).
    """
    mine, theirs = dict(source.signals), dict(target.signals)
    before, after = mine.pop(UID_NEXT, None), theirs.pop(UID_NEXT, None)
    if mine != theirs or source.digest != target.digest:
        return False
    return isinstance(before, int) and isinstance(after, int) and after >= before
