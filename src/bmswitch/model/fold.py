"""What may be left out of a first pass: which record of an item makes an earlier one needless. Bytes in, no I/O.

The item is (type, owner, container uid, item uid): the operation is part of the Kafka key, so compaction never compares a
CREATE with its UPDATE (change-log.md 3.4). Only types of the two tables below are folded; the others pass untouched:
- `dir`: an entry seen only as UPDATE is an unknown owner to the clone, and passwords come from the CREATE (3.5, 5.6);
- `containers_meta`, `memberships`, `ou-roles`, `resourceTypes`: later records need what they make; half-records (5.7);
- `message_bodies`, `message_bodies_es_source`: the mail record behind them refers to them; nearly never written twice;
- everything that is rare, or that no restorer is known for.
"""

from enum import IntEnum

import msgspec

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

UPDATE, DELETE = b'"UPDATE"}', b'"DELETE"}'
_START = b'{"type":"'
_MAIL_START = _START + MAILS.encode()
_WHOLE, _MAIL, _FOLDER = range(3)
_RULES = (
    {_START + name.encode(): _WHOLE for name in ITEMS}
    | {_MAIL_START: _MAIL}
    | {_START + FOLDERS.encode(): _FOLDER}
)
_OPERATIONS = frozenset((b'"CREATE"}', UPDATE, DELETE))
_ANY = b""


class Goes(IntEnum):
    """When a write may be left out once a later one has the same run: never, if the one before it has it too, always."""

    NEVER = 0
    BETWEEN = 1
    ALWAYS = 2


class Step(msgspec.Struct, frozen=True, gc=False):
    """One write to an item. It makes the write before it needless when both have the same `run`; None: it never does.

    `item` is unequal for different items. `deletes`: what it deletes needs no deletion where it never was.
    """

    item: bytes
    run: bytes | None
    goes: Goes = Goes.ALWAYS
    deletes: bool = False


def step_of(key: bytes, value: bytes) -> Step | None:
    """What a record does to an item; None for a record that must pass untouched and ends no run.

    Fields are found by their bytes: inside a JSON string a quote is escaped, so the marks looked for can not stand there.
    """
    rule = _RULES.get(key[: key.find(b'"', 9)])
    if rule is None:
        return None
    head, mark, tail = key.partition(b',"id":')
    operation = tail[-9:]
    if not mark or operation not in _OPERATIONS or tail.startswith(b"0,"):
        return None
    if operation == DELETE:
        uid = _plain(value[7:-1]) if value[:7] == b'{"uid":' else None
        return Step(head + uid, _ANY if rule == _MAIL else None, deletes=rule == _MAIL) if uid else None
    end = value.rfind(b',"internalId":')
    uid = _plain(value[value.rfind(b',"uid":', 0, end) + 7 : end]) if end > 0 else None
    if uid is None or value[:9] != b'{"value":':
        return None
    if rule == _FOLDER:
        return Step(head + uid, _names(value), Goes.BETWEEN if operation == UPDATE else Goes.NEVER)
    return Step(head + uid, _ANY)


def is_odd(key: bytes) -> bool:
    """True for a key that may be a mail record's although `step_of` does not read the record."""
    return not key.startswith(_START) or key.startswith(_MAIL_START)


def _plain(text: bytes) -> bytes | None:
    """The text when it is one JSON string without escapes."""
    return text if text[:1] == b'"' and text.find(b'"', 1) == len(text) - 1 and b"\\" not in text else None


def _names(value: bytes) -> bytes | None:
    """Name, parent and state of a folder, which come first in it; None when it is flagged deleted or unlike the known ones."""
    end = value.find(b',"lastUid":')
    return None if end < 0 or b'"Deleted"' in value else value[:end]
