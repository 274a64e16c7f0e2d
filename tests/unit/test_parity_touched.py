from bmswitch.model.differences import Place
from bmswitch.model.digest import Print
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.parity.mail import uid_next_is_safe
from bmswitch.parity.tables import KINDS
from bmswitch.parity.touched import Touched

HEX = "0123456789abcdef0123456789abcdef"
D = "lab.test"


def record(
    kind: str,
    owner: str,
    container: str,
    uid: str,
    *,
    topic: str = f"{HEX}-{D}",
    number: int = 7,
    cls: str = "c",
) -> LogRecord:
    key = RecordKey(kind, owner, container, number, cls, Operation.UPDATE)
    return LogRecord(topic, 0, 0, 0, encode_key(key), b'{"uid":"' + uid.encode() + b'"}')


def touched(*records: LogRecord) -> Touched:
    found = Touched()
    for one in records:
        found.add(one)
    return found


def test_an_items_record_touches_that_item_with_its_id() -> None:
    found = touched(record("notes", "u1", "notes:default_u1", "n1"))
    assert found.places == {Place(D, "u1", "notes:default_u1", "notes"): {"n1": frozenset({7})}}


def test_an_item_that_was_given_another_id_is_read_under_both() -> None:
    found = touched(record("notes", "u1", "c", "n1"), record("notes", "u1", "c", "n1", number=8))
    assert found.places[Place(D, "u1", "c", "notes")] == {"n1": frozenset({7, 8})}


def test_a_tombstone_a_probe_and_a_body_touch_nothing() -> None:
    dead = LogRecord(f"{HEX}-{D}", 0, 0, 0, record("notes", "u", "c", "n").key, None)
    probe = record("dir", "system", D, "bmswitch-probe-00-20")
    body = record("message_bodies", "u1", "x", "f" * 40)
    crp = record("dir", "system", D, "u1", topic=f"{HEX}-crp-dir-entries")
    assert len(touched(dead, probe, body, crp)) == 0


def test_a_directory_record_touches_the_entry_and_its_value() -> None:
    found = touched(record("dir", "system", D, "u1"))
    assert set(found.places) == {Place(D, "system", D, "dir"), Place(D, "u1", "", "entry")}


def test_user_settings_touch_the_settings_only() -> None:
    found = touched(record("dir", "system", D, "u1", cls="net.bluemind.user.api.UserSettings"))
    assert found.places == {Place(D, "u1", "", "side"): {"settings": frozenset()}}


def test_a_membership_touches_the_group_and_not_the_member() -> None:
    found = touched(record("memberships", "u1", "u1_at_d_memberships", "g1"))
    assert set(found.places) == {Place(D, "g1", "", "side")}


def test_the_last_record_of_a_leader_touches_nothing() -> None:
    assert len(touched(record("dir", "system", D, "seppuku"))) == 0


def test_a_record_that_is_not_understood_is_counted() -> None:
    found = touched(LogRecord(f"{HEX}-{D}", 0, 0, 0, b"{", b"{}"))
    assert (len(found), found.unread) == (0, 1)


def test_very_many_items_of_one_place_are_read_as_a_whole() -> None:
    found = Touched()
    place = Place(D, "u", "c", "notes")
    for n in range(6000):
        found.touch(place, str(n), number=n)
    assert found.places[place] is None
    found.touch(place, "one more")
    assert found.places[place] is None


def test_merging_loses_nothing() -> None:
    one, two = Touched(), Touched()
    a, b = Place(D, "a", "c", "notes"), Place(D, "b", "c", "notes")
    one.touch(a, "x", number=1)
    two.touch(a, "x", "y", number=2)
    two.places[b] = None
    one.touch(b, "z")
    one.merge(two)
    assert one.places == {a: {"x": frozenset({1, 2}), "y": frozenset({2})}, b: None}


def test_versions_are_compared_only_where_a_clone_keeps_them() -> None:
    kept = {name for name, kind in KINDS.items() if "version" in kind.signals}
    assert kept == {
        "addressbook",
        "calendar",
        "todolist",
        "notes",
        "tags",
        "calendarview",
        "deferredaction",
        "smime_cacerts",
        "device",
        "owner_subscriptions",
    }


def test_uid_next_may_be_ahead_on_green_and_nothing_else() -> None:
    def folder(last: int, validity: int = 1) -> Print:
        return Print((("id", 3), ("uidValidity", validity), ("lastUid", last)), 9)

    assert uid_next_is_safe(folder(5), folder(6))
    assert not uid_next_is_safe(folder(6), folder(5))
    assert not uid_next_is_safe(folder(5), folder(6, validity=2))
