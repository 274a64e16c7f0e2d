"""Asks a side for the items of a container, in as few calls as the type allows. Answers stay bytes until they have to be looked into."""

from collections.abc import Collection, Iterator

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.differences import Place
from bmswitch.parity.paths import path_of
from bmswitch.parity.read import JsonObject, Wanted, body_of, objects, text
from bmswitch.parity.tables import Kind

BATCH = 200
_LIST = "/api/containers/_manage/{container}/_list"
_encode = msgspec.json.encode


Ask = tuple[str, bytes | None]
"""One call that reads: its path, and None for a GET or the JSON of a POST."""
Answers = list[tuple[str, bytes]]
"""What was answered to which path."""


class _Mail(msgspec.Struct, rename="camel"):
    message_body: str | None = None


class _Name(msgspec.Struct):
    uid: str | None = None
    value: _Mail | None = None


_names = msgspec.json.Decoder(list[_Name | None]).decode


def asks(kind: Kind, place: Place, wanted: Wanted) -> list[Ask] | None:
    """The calls that answer all items of a container, or the wanted ones; None: its uids have to be listed first."""
    if wanted.items is not None and kind.query:
        if kind.by_id:
            return _batches(
                path_of(kind.query, place), list({n for ids in wanted.items.values() for n in ids})
            )
        return _batches(path_of(kind.query, place), list(wanted.items))
    return [(path_of(kind.path, place), None)] if kind.read == "all" else None


def _batches(path: str, asked: Collection[object]) -> list[Ask]:
    todo = list(asked)
    if len(todo) <= BATCH:
        return [(path, _encode(todo))] if todo else []
    return [(path, _encode(todo[start : start + BATCH])) for start in range(0, len(todo), BATCH)]


async def listed(bulk: Bulk, kind: Kind, place: Place) -> list[Ask]:
    """The calls that answer all items of a container that must be listed first."""
    where = path_of(_LIST, place)
    answer = (where, await bulk.raw(where))
    return _batches(path_of(kind.path, place), [uid for uid, _ in named(bulk, [answer])])


def decoded(bulk: Bulk, answers: Answers) -> list[JsonObject]:
    """The items in the answers."""
    return [item for path, raw in answers for item in objects(bulk.decoded(path, raw))]


def named(bulk: Bulk, answers: Answers) -> Iterator[tuple[str, str]]:
    """Of each item in the answers its uid and the body that it names, empty when there is none: nothing else is decoded."""
    for answer in answers:
        try:
            found = _names(answer[1])
        except msgspec.DecodeError:  # a page, an empty answer, a value that is no object, or no JSON
            for item in decoded(bulk, [answer]):
                yield text(item, "uid"), body_of(item)
        else:
            for one in found:
                if one is not None:
                    yield one.uid or "", (one.value.message_body or "") if one.value else ""
