"""What REST can mend on a clone, and how: the source's value is read now and written to the target (clone-and-api.md 4.2, 4.4).

Left out on purpose, because REST would lose or do more than it mends: items that the target lacks or has otherwise (a REST write
gives them a new id, version and dates), entries that one side lacks, org units (an update gives them another path, change-log.md 5.2), rights of containers (their hooks write to users), contacts
(deleting one deletes its photo in the shared bucket, traffic-and-objects.md B7), hierarchy nodes (read-only).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bmswitch.bluemind.pen import Pen
from bmswitch.bluemind.transport import Method
from bmswitch.model.differences import Difference
from bmswitch.model.digest import Json
from bmswitch.parity.mail import UID_VALIDITY
from bmswitch.parity.paths import fill
from bmswitch.parity.read import JsonObject, objects
from bmswitch.parity.tables import ENTRY_IGNORED, SIDE

Work = Callable[[Pen, Pen, Difference], None]
"""Mends one item: source, target, what differs."""


@dataclass(frozen=True)
class Mend:
    """What is done, in words, and the doing."""

    words: str
    work: Work


def _fill(template: str, one: Difference, **more: str) -> str:
    return fill(template, domain=one.domain, entry=one.owner, container=one.container, uid=one.item, **more)


def _put_over(method: Method, read: str, write: str = "") -> Work:
    """The source's whole answer is written over the target's."""

    def work(source: Pen, target: Pen, one: Difference) -> None:
        target.write(method, _fill(write or read, one), source.get(_fill(read, one)))

    return work


def _named(base: str, *keys: str) -> Work:
    """A list of things with an id of their own: made, changed or deleted one by one."""

    def ids(pen: Pen, one: Difference) -> set[str]:
        listed = objects(pen.get(_fill(base, one)))
        return {str(next(item[key] for key in keys if key in item)) for item in listed}

    def work(source: Pen, target: Pen, one: Difference) -> None:
        wanted, there = ids(source, one), ids(target, one)
        for name in sorted(there - wanted):
            target.write("DELETE", _fill(base + "/{name}", one, name=name))
        for name in sorted(wanted):
            where = _fill(base + "/{name}", one, name=name)
            value = source.get(where)
            if name not in there:
                target.write("PUT", where, value)
            elif target.get(where) != value:
                target.write("POST", where, value)

    return work


def _members(source: Pen, target: Pen, one: Difference) -> None:
    where = _fill(SIDE["members"].path, one)
    wanted, there = objects(source.get(where)), objects(target.get(where))
    new, old = [m for m in wanted if m not in there], [m for m in there if m not in wanted]
    if old:
        target.write("DELETE", where, cast("Json", old))
    if new:
        target.write("PUT", where, cast("Json", new))


def _administrators(source: Pen, target: Pen, one: Difference) -> None:
    """The roles of each administrator that either side knows; none for one that the source does not know."""
    base = _fill("/api/directory/_ou/{domain}/{entry}", one)

    def known(pen: Pen) -> set[str]:
        listed = pen.get(base + "/_administrators")
        return {uid for uid in listed if isinstance(uid, str)} if isinstance(listed, list) else set()

    for uid in sorted(known(source) | known(target)):
        where = fill(base + "/{uid}", uid=uid)
        wanted = source.ask(where, [])
        if target.ask(where, []) != wanted:
            target.write("POST", where + "/_set", wanted)


_ENTRY = {
    "USER": "/api/users/{domain}/{name}",
    "GROUP": "/api/groups/{domain}/{name}",
    "MAILSHARE": "/api/mailshares/{domain}/{name}",
    "EXTERNALUSER": "/api/externaluser/{domain}/{name}",
    "RESOURCE": "/api/resources/{domain}/{name}",
}


def _entry(source: Pen, target: Pen, one: Difference) -> None:
    """The entry's value, but what is each side's own (password, mailbox copy, photo), which stays the target's."""
    kind = one.kind or ""
    where = fill(_ENTRY[kind], domain=one.domain, name=one.item if one.type == "dir" else one.owner)
    suffix = "" if kind == "RESOURCE" else "/complete"

    def value(pen: Pen) -> JsonObject:
        answer = pen.get(where + suffix)
        inner = answer.get("value") if isinstance(answer, dict) and suffix else answer
        return dict(inner) if isinstance(inner, dict) else {}

    wanted, there = value(source), value(target)
    for name in ENTRY_IGNORED & (wanted.keys() | there.keys()):
        wanted[name] = there.get(name)
    target.write("POST", where, wanted)


def _mail_folder(source: Pen, target: Pen, one: Difference) -> None:
    """The same call as the restorer makes for an UPDATE record, which takes UIDVALIDITY as it is (clone-and-api.md 3.4)."""
    where = _fill("/internal-api/db_replicated_mailboxes_by_container/{container}/{uid}", one)
    found = source.get(where + "/complete")
    value = found.get("value") if isinstance(found, dict) else None
    if isinstance(value, dict):
        target.write("POST", where, value)


def _web_data(source: Pen, target: Pen, one: Difference) -> None:
    where = _fill("/api/webappdata/{container}/uid/{uid}", one)
    found = source.get(where)
    if not isinstance(found, dict):
        target.write("DELETE", where)
    else:
        target.write("POST" if target.get(where) else "PUT", where, found.get("value"))


def _unsubscribe(_source: Pen, target: Pen, one: Difference) -> None:
    node = target.get(_fill("/api/containers/_subscriptions/{domain}/{entry}/{uid}/complete", one))
    value = node.get("value") if isinstance(node, dict) else None
    container = value.get("containerUid") if isinstance(value, dict) else None
    target.write("POST", _fill("/api/users/{domain}/subscriptions/{entry}/_unsubscribe", one), [container])


def _deleted(path: str) -> Work:
    def work(_source: Pen, target: Pen, one: Difference) -> None:
        target.write("DELETE", _fill(path, one))

    return work


_SIDE: dict[str, Work] = {
    "roles": _put_over("POST", SIDE["roles"].path),
    "group roles": _put_over("POST", SIDE["group roles"].path),
    "domain roles": _put_over("POST", SIDE["domain roles"].path),
    "members": _members,
    "settings": _put_over("POST", SIDE["settings"].path),
    "domain settings": _put_over("PUT", SIDE["domain settings"].path),
    "mail filter": _put_over("POST", SIDE["mail filter"].path),
    "domain mail filter": _put_over("POST", SIDE["domain mail filter"].path),
    "identities": _named(SIDE["identities"].path, "id"),
    "mailbox identities": _named(SIDE["mailbox identities"].path, "id"),
    "organisation administrators": _administrators,
    "resource types": _named(SIDE["resource types"].path, "id", "identifier"),
}
_ONLY_ON_TARGET: dict[str, Work] = {
    "calendar": _deleted("/api/calendars/{container}/{uid}?sendNotifications=false"),
    "todolist": _deleted("/api/todolist/{container}/{uid}"),
    "notes": _deleted("/api/notes/{container}/{uid}"),
    "tags": _deleted("/api/tags/{container}/{uid}"),
    "calendarview": _deleted("/api/calendars/view/{container}/{uid}"),
    "deferredaction": _deleted("/api/deferredaction/{container}/{uid}"),
    "device": _deleted("/api/devices/{entry}/{uid}"),
    "owner_subscriptions": _unsubscribe,
}
_ENTRY_FIELDS = frozenset({"displayName", "email", "hidden", "archived", "system", "orgUnitUid", "value"})


def mend_of(one: Difference) -> Mend | None:
    """How a difference can be mended; None when REST can not, or should not."""
    over = _written_over(one)
    if over is not None:
        return Mend("the source's is written over it", over)
    if (
        one.side == "both"
        and one.kind in _ENTRY
        and (one.type == "entry" or (one.type == "dir" and one.what in _ENTRY_FIELDS))
    ):
        return Mend("the entry is written over with the source's", _entry)
    if one.side == "target" and one.type in _ONLY_ON_TARGET:
        return Mend("it is deleted on the target", _ONLY_ON_TARGET[one.type])
    return None


def _written_over(one: Difference) -> Work | None:
    """What is taken from the source as it is."""
    if one.type == "side":
        return _SIDE.get(one.item)
    if one.type == "containers_meta" and one.item == "settings":
        return _put_over("PUT", "/api/containers/_manage/{container}/_settings")
    if one.type == "replicated_mailboxes" and one.side == "both" and one.what == UID_VALIDITY:
        return _mail_folder
    return _web_data if one.type == "webappdata" else None
