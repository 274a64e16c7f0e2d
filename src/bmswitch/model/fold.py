"""What may be left out of a first pass: which record of an item makes an earlier one needless. Bytes in, no I/O.

The item is (type, owner, container uid, item uid): the operation is part of the Kafka key, so compaction never compares a
CREATE with its UPDATE (change-log.md 3.4). Only types of the two tables below are folded; the others pass untouched:
- `dir`: an entry seen only as UPDATE is an unknown owner to the clone, and passwords come from the CREATE (3.5, 5.6);
- `containers_meta`, `memberships`, `ou-roles`, `resourceTypes`: later records need what they make; half-records (5.7);
- `message_bodies`, `message_bodies_es_source`: the mail record behind them refers to them; nearly never written twice;
- everything that is rare, or that no restorer is known for.
"""

ITEMS = (
    "addressbook",
    "calendar",
    "calendarview",
    "container_flat_hierarchy",
    "container_item_id_seq",
    "deferredaction",
    "device",
    "notes",
    "owner_subscriptions",
    "tags",
    "todolist",
    "webappdata",
)
"""Whole state in each record, and no record of another item needs them. Their first record may make the container, so a
deletion does not fold: the last value before it goes to green too."""

MAILS = "mailbox_records"
"""As `ITEMS`, but the container comes from its folder: a deletion folds what it deletes."""

FOLDERS = "replicated_mailboxes"
"""Needed by mails and by children, and names are unique: only an UPDATE is left out, between two records that name the folder and
its parent as it does. The CREATE always stays: UIDVALIDITY needs both (clone-and-api.md 3.4)."""

_START = b'{"type":"'
_WHOLE, _MAIL, _FOLDER = range(3)
_RULES = {name.encode() + b'"': _WHOLE for name in ITEMS} | {
    MAILS.encode() + b'"': _MAIL,
    FOLDERS.encode() + b'"': _FOLDER,
}
_FIRST = {
    name[:8]: [(full, rule) for full, rule in _RULES.items() if full[:8] == name[:8]] for name in _RULES
}
_UPDATE, _DELETE = b'"UPDATE"}', b'"DELETE"}'
_ANY = b""

NEVER, BETWEEN, ALWAYS = range(3)
"""When a write may be left out once a later one has its run: never; if the one before it has that run too; always."""

Step = tuple[bytes, bytes | None, int, bool]
"""One write: item, run, when it may be left out, and whether it deletes what needs no deletion where it never was.

`item` is unequal for different items. A write makes the one before it needless when both have the same `run`; None: it never does.
"""
ODD: Step = (b"", None, NEVER, False)
"""A record that may be of a folded type but is not read: it passes untouched."""


def step_of(key: bytes, value: bytes) -> Step | None:
    """What a record does to an item; None for a record of another type. Both pass untouched and end no run: None and `ODD`.

    Fields are found by their bytes, as decoding costs more than all the rest: inside a JSON string a quote is escaped, so the
    marks looked for can not stand there. A record that makes another one needless must be decoded as well.
    """
    rules = _FIRST.get(key[9:17])
    if rules is None:
        return None if key[:9] == _START else ODD
    for name, rule in rules:
        if key.startswith(name, 9):
            at = key.find(b',"id":', 20)
            return _read(key, value, at, rule) if at > 0 and key[:9] == _START else ODD
    return None


def _read(key: bytes, value: bytes, at: int, rule: int) -> Step:
    operation = key[-9:]
    if operation == _DELETE:
        if value[:8] != b'{"uid":"' or value.find(b'"', 8) != len(value) - 2 or b"\\" in value:
            return ODD
        return key[:at] + value[7:-2], _ANY if rule == _MAIL else None, ALWAYS, rule == _MAIL
    end = value.rfind(b'","internalId":')
    start = value.rfind(b'"', 0, end)
    if end < 0 or value[start - 7 : start] != b',"uid":' or value[:9] != b'{"value":':
        return ODD
    item = key[:at] + value[start:end]
    if rule != _FOLDER:
        return item, _ANY, ALWAYS, False
    return item, _names(value, end), BETWEEN if operation == _UPDATE else NEVER, False


def _names(value: bytes, end: int) -> bytes | None:
    """Name, parent and state of a folder, which come first in it; None when it is flagged or unlike the known ones."""
    names = value.find(b',"lastUid":')
    return None if names < 0 or value.rfind(b'"flags":[]') < end else value[:names]
