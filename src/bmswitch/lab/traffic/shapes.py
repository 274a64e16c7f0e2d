"""REST paths and JSON values of what the load writes: events, contacts, users (clone-and-api.md 4.4), and mails."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from bmswitch.lab.traffic.people import Item, Kind, Person


class _Summary(msgspec.Struct, frozen=True):
    summary: str = ""


class _Event(msgspec.Struct, frozen=True):
    main: _Summary = _Summary()


class _FormattedName(msgspec.Struct, frozen=True):
    value: str = ""


class _Identification(msgspec.Struct, frozen=True):
    formatedName: _FormattedName = _FormattedName()  # noqa: N815 - BlueMind's own key


class _Card(msgspec.Struct, frozen=True):
    identification: _Identification = _Identification()


def quoted(segment: str) -> str:
    """One path segment, percent-encoded."""
    return quote(segment, safe="")


def container_path(kind: Kind, container: str) -> str:
    """`/api/calendars/<container>` or `/api/addressbooks/<container>`."""
    return f"/api/{kind}/{quoted(container)}"


def item_path(item: Item) -> str:
    """Path of one item."""
    return f"{container_path(item.kind, item.container)}/{quoted(item.uid)}"


def value_of(kind: Kind, uid: str, write_id: str) -> bytes:
    """A VEventSeries or a VCard whose title is the id of the write."""
    return msgspec.json.encode(_event(uid, write_id) if kind == "calendars" else _card(uid, write_id))


def content_of(kind: Kind, value: msgspec.Raw) -> str:
    """The id of the write that an item shows."""
    if kind == "calendars":
        return msgspec.json.decode(value, type=_Event).main.summary
    return msgspec.json.decode(value, type=_Card).identification.formatedName.value


def user_value(person: Person, data_location: str) -> bytes:
    """A User that can log in and receive mail."""
    address = {"address": person.address, "allAliases": False, "isDefault": True}
    name = {"familyNames": "Load", "givenNames": person.uid}
    return msgspec.json.encode(
        {
            "login": person.uid,
            "password": person.password,
            "passwordMustChange": False,
            "passwordNeverExpires": True,
            "orgUnitUid": None,
            "emails": [address],
            "hidden": False,
            "archived": False,
            "system": False,
            "dataLocation": data_location,
            "routing": "internal",
            "accountType": "FULL",
            "quota": 0,
            "properties": {},
            "contactInfos": {
                "kind": "individual",
                "identification": {"formatedName": {"value": f"Load {person.uid}"}, "name": name},
            },
        }
    )


def mail_content(load_id: str, sender: str, recipient: str, size: int) -> bytes:
    """A text mail of about `size` bytes that carries its load id in two headers and in its text."""
    line = f"{load_id} the quick brown fox jumps over the lazy dog\r\n"
    head = (
        f"From: {sender}\r\nTo: {recipient}\r\nSubject: load {load_id}\r\nMessage-ID: <{load_id}@load.invalid>\r\n"
        f"X-Load-Id: {load_id}\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return (head + line * max(1, size // len(line))).encode()


def load_id_of(message_id: str) -> str:
    """The load id in a Message-ID of `mail_content`; empty for any other mail."""
    found = re.fullmatch(r"<?(w[0-9a-f]+-\d+)@load\.invalid>?", message_id)
    return found[1] if found else ""


def chunks(values: list[str], size: int) -> Iterator[list[str]]:
    """The list in pieces."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _event(uid: str, write_id: str) -> dict[str, object]:
    main = {
        "dtstart": {"iso8601": "2030-01-01T10:00:00.000Z", "timezone": "UTC", "precision": "DateTime"},
        "dtend": {"iso8601": "2030-01-01T11:00:00.000Z", "timezone": "UTC", "precision": "DateTime"},
        "summary": write_id,
        "classification": "Public",
        "location": "",
        "description": "",
        "priority": 5,
        "status": "Confirmed",
        "transparency": "Opaque",
        "attendees": [],
        "categories": [],
        "attachments": [],
        "sequence": 0,
        "draft": False,
    }
    return {
        "main": main,
        "occurrences": [],
        "properties": {},
        "icsUid": uid,
        "acceptCounters": True,
        "counters": [],
    }


def _card(uid: str, write_id: str) -> dict[str, object]:
    email = {"value": f"{uid}@load.invalid", "parameters": [{"label": "TYPE", "value": "work"}]}
    return {
        "kind": "individual",
        "source": None,
        "identification": {
            "formatedName": {"value": write_id, "parameters": []},
            "name": {"familyNames": write_id, "givenNames": "Load", "parameters": []},
        },
        "communications": {"emails": [email], "tels": [], "impps": [], "langs": []},
        "deliveryAddressing": [],
        "organizational": {},
        "explanatory": {"categories": [], "urls": [], "note": ""},
        "related": {},
    }
