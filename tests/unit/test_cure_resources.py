"""A changed resource keeps its calendar on green with the cure only."""

import msgspec
import pytest
from tests.unit.restore_kit import DOMAIN
from tests.unit.test_cures_clone import cloned, handed_on, record

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import ENTRY_CLASS, META_CLASS
from bmswitch.model.records import LogRecord, Operation
from bmswitch.replication.cures import resources_whole
from bmswitch.replication.cures.resources_whole import ResourcesWhole

EVENT = "net.bluemind.calendar.api.VEventSeries"
CALENDAR = "calendar:r1"


def resource(operation: Operation = Operation.CREATE, label: str = "beamer") -> LogRecord:
    value = {
        "entry": {"entryUid": "r1", "kind": "RESOURCE"},
        "vcard": None,
        "mailbox": None,
        "value": {"label": label, "typeIdentifier": "t1"},
    }
    return record(
        "dir",
        "r1",
        value,
        owner="system",
        container=DOMAIN,
        number=60,
        value_class=ENTRY_CLASS,
        operation=operation,
    )


def event(uid: str, number: int, operation: Operation = Operation.CREATE, ics: str = "a") -> LogRecord:
    return record(
        "calendar", uid, {"icsUid": ics}, owner="r1", container=CALENDAR, number=number,
        value_class=EVENT, operation=operation,
    )  # fmt: skip


META = record(
    "containers_meta",
    CALENDAR,
    {
        "contDesc": {"uid": CALENDAR, "type": "calendar", "owner": "r1", "domainUid": DOMAIN},
        "acls": [{"subject": "u1", "verb": "Read"}],
        "settings": {},
    },
    owner="r1",
    container=f"r1_at_{DOMAIN}_containers_meta",
    number=61,
    value_class=META_CLASS,
)
LOG = [
    resource(),
    META,
    event("e1", 62),
    event("e2", 63),
    event("e1", 62, Operation.UPDATE, "b"),
    event("e2", 63, Operation.DELETE),
    resource(Operation.UPDATE, "big beamer"),
    event("e3", 64),
]


def test_a_changed_resource_loses_its_calendar_without_the_cure_only() -> None:
    assert cloned(LOG).store.item(CALENDAR, "e1") is None
    kit = cloned(handed_on(LOG, [ResourcesWhole(fresh=True)]))
    assert kit.value(DOMAIN, "r1")["value"]["label"] == "big beamer"
    assert kit.value(CALENDAR, "e1")["icsUid"] == "b"
    assert kit.store.item(CALENDAR, "e2") is None
    assert kit.store.item(CALENDAR, "e3") is not None
    made = kit.store.container(CALENDAR)
    assert made is not None
    assert [(ace.subject, ace.verb) for ace in made.acls] == [("u1", "Read")]


def test_what_is_repeated_stands_behind_the_change_in_its_order() -> None:
    out = handed_on(LOG, [ResourcesWhole(fresh=True)])
    repeated = [META, LOG[2], LOG[4]]
    assert out == [*LOG[:7], *repeated, LOG[7]]


def test_a_deleted_resource_is_forgotten_and_its_memory_is_free() -> None:
    cure = ResourcesWhole(fresh=True)
    gone = resource(Operation.DELETE)
    again = resource(Operation.CREATE)
    assert handed_on([*LOG, gone, again], [cure])[-2:] == [gone, again]
    assert vars(cure)["_bytes"] == 0


def test_a_run_that_goes_on_parks_a_change_whose_calendar_it_has_not_read() -> None:
    cure = ResourcesWhole(fresh=False)
    with pytest.raises(RecordError, match="lose its calendar"):
        cure(resource(Operation.UPDATE))
    assert cure(resource()) == [resource()]
    assert cure(resource(Operation.UPDATE)) == [resource(Operation.UPDATE)]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources_whole, "MOST", 1)
    cure = ResourcesWhole(fresh=True)
    assert handed_on(LOG, [cure]) == LOG
    assert cure.left == 5


@pytest.mark.parametrize(
    "one",
    [msgspec.structs.replace(resource(), value=None), event("e", 1), META],
    ids=["tombstone", "event", "meta"],
)
def test_what_belongs_to_no_resource_passes(one: LogRecord) -> None:
    assert ResourcesWhole(fresh=True)(one) == [one]
