import asyncio
from urllib.parse import quote

import msgspec
import pytest

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.differences import Place
from bmswitch.model.errors import UnknownError
from bmswitch.parity.fetch import BATCH, asks
from bmswitch.parity.paths import fill
from bmswitch.parity.read import ALL, Wanted
from bmswitch.parity.sides import Pair, Sides
from bmswitch.parity.tables import KINDS

NOTES = Place("d.test", "u1", "notes:default_u1", "notes")
MAIL = Place("d.test", "u1", "mbox_records_f1", "mailbox_records")
PATH = "/api/notes/notes%3Adefault_u1/_mget"


class Said(Bulk):
    """Answers the same bytes to whatever is asked, and notes what was."""

    def __init__(self, answer: bytes) -> None:
        self.name, self.answer = "blue", answer
        self.asked: list[tuple[str, bytes | None]] = []

    async def raw(self, path: str, body: bytes | None = None) -> bytes:
        self.asked.append((path, body))
        return self.answer


def item(uid: str, **value: object) -> dict[str, object]:
    return {
        "uid": uid,
        "internalId": 7,
        "version": 1,
        "created": 1,
        "updated": 2,
        "flags": [],
        "value": value,
    }


def pair(source: bytes, target: bytes, place: Place = NOTES, wanted: Wanted | None = None) -> Pair:
    sides = Sides(Said(source), Said(target))
    return asyncio.run(sides.pair(place, wanted or Wanted({"n1": frozenset({7})})))


def test_every_character_is_escaped_as_the_library_does() -> None:
    for code in (*range(1, 128), 0xE9, 0x20AC):
        part = f"a{chr(code)}b"
        assert fill("/x/{uid}/y", uid=part) == f"/x/{quote(part, safe='')}/y"


def test_equal_bytes_are_equal_and_what_they_name_is_known() -> None:
    mails = msgspec.json.encode([item("1.", messageBody="ab"), None, item("2."), item("bmswitch-probe-x")])
    found = pair(mails, mails, MAIL, ALL)
    assert found.suspects == set()
    assert found.uids == {"1.", "2."}
    assert found.source.guids == found.target.guids == {"ab"}


@pytest.mark.parametrize(
    "answer", [b"", b"null", b'{"values":[{"uid":"n1","value":{}}]}', b'[{"uid":"n1","value":"text"}]']
)
def test_answers_of_another_shape_are_understood(answer: bytes) -> None:
    found = pair(answer, answer)
    assert found.suspects == set()
    assert found.uids == ({"n1"} if b"n1" in answer else set())


def test_equal_bytes_that_are_no_json_are_unknown_not_equal() -> None:
    with pytest.raises(UnknownError, match=f"blue's answer to {PATH}"):
        pair(b'[{"uid":"n1"', b'[{"uid":"n1"')


def test_other_bytes_that_say_the_same_are_equal() -> None:
    mine = msgspec.json.encode([item("n1", subject="a", body="b")])
    theirs = msgspec.json.encode([item("n1", body="b", subject="a", gone=None)])
    assert pair(mine, theirs).suspects == set()


@pytest.mark.parametrize("theirs", [[item("n1", subject="b")], [], [item("n1", subject="a")] * 2])
def test_what_the_other_bytes_say_differently_is_found(theirs: list[dict[str, object]]) -> None:
    found = pair(msgspec.json.encode([item("n1", subject="a")]), msgspec.json.encode(theirs))
    assert found.suspects == ({"n1 (again)"} if len(theirs) == 2 else {"n1"})


def test_many_items_are_asked_for_in_batches_and_none_by_no_call() -> None:
    uids = [f"n{n}" for n in range(2 * BATCH + 1)]
    many = asks(KINDS["notes"], NOTES, Wanted(dict.fromkeys(uids, frozenset[int]())))
    assert many is not None
    assert {path for path, _ in many} == {PATH}
    assert [uid for _, body in many for uid in msgspec.json.decode(body or b"")] == uids
    assert [len(msgspec.json.decode(body or b"")) for _, body in many] == [BATCH, BATCH, 1]
    assert asks(KINDS["notes"], NOTES, Wanted({})) == []


def test_mails_are_asked_for_by_their_ids() -> None:
    wanted = Wanted({"1.": frozenset({7}), "2.": frozenset({7})})
    assert asks(KINDS["mailbox_records"], MAIL, wanted) == [
        ("/internal-api/db_mailbox_records/f1/_mgetById", b"[7]")
    ]


def test_a_whole_container_is_listed_and_then_read() -> None:
    source = Said(msgspec.json.encode([item("n1"), item("n2")]))
    found = asyncio.run(Sides(source, Said(source.answer)).pair(NOTES))
    assert found.uids == {"n1", "n2"}
    assert source.asked == [
        ("/api/containers/_manage/notes%3Adefault_u1/_list", None),
        (PATH, b'["n1","n2"]'),
    ]
