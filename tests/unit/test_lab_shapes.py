"""Payloads written by the stand-in have exactly the shape of the real log: every live record survives a round trip."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bmswitch.lab.services import shapes as s
from bmswitch.lab.services import shapes_directory as d
from bmswitch.lab.services import shapes_mail as m
from bmswitch.lab.services.cards import Shape, VCard
from bmswitch.model.records import Envelope, decode_envelope, encode_envelope

REAL_LOG = Path(
    os.environ.get("BMSWITCH_REAL_LOG", Path(__file__).parents[2].parent / "shared/data/bluemind-dump")
)
pytestmark = pytest.mark.skipif(not REAL_LOG.is_dir(), reason="the real log is not here (BMSWITCH_REAL_LOG)")


class Meta50(Shape, frozen=True, kw_only=True):
    cont_desc: d.Descriptor50
    acls: list[d.AclEntry]
    settings: dict[str, str]


CLASSES: dict[str, type] = {
    "MailboxReplica": m.MailboxReplica,
    "MailboxRecord": m.MailboxRecord,
    "MessageBody": m.MessageBody,
    "IndexedMessageBodyDTO": m.SearchSource,
    "VCard": VCard,
    "DirEntryAndValue": d.DirEntryAndValue,
    "UserMailIdentity": d.UserMailIdentity,
    "MailboxMailFilter": d.MailboxMailFilter,
    "DirEntryRole": d.Roles,
    "OrgUnitAdminRole": d.OrgUnitRoles,
    "GroupMembership": d.Membership,
    "ResourceTypeDescriptor": d.ResourceType,
    "Server": d.Server,
    "Domain": d.Domain,
    "DomainSettings": d.DomainSettings,
    "Job": d.Job,
    "ContainerHierarchyNode": s.HierarchyNode,
    "ContainerSubscriptionModel": s.Subscription50,
    "WebAppData": s.WebAppData,
    "CalendarView": s.CalendarView,
    "ContainerMetadata": Meta50,
}
VALUES: dict[str, type] = {
    "USER": d.User,
    "GROUP": d.Group,
    "MAILSHARE": d.Mailshare,
    "RESOURCE": d.Resource,
    "ORG_UNIT": d.OrgUnit,
}


def real_envelopes() -> Iterator[Envelope]:
    for name in ("orphans", "f8de2c4a.internal"):
        with gzip.open(REAL_LOG / f"{name}.jsonl.gz", "rt") as file:
            for line in file:
                value = json.loads(line)["value"]
                if value and "value" in value:
                    raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
                    yield decode_envelope(raw)


def exported(payload: bytes) -> bool:
    """Records of the mass export lack the fields that live metadata has (change-log.md 5.5)."""
    return b'"contDesc"' in payload and b'"writable"' not in payload


def test_every_live_payload_survives_its_shape_byte_for_byte() -> None:
    checked = 0
    for envelope in real_envelopes():
        kind = CLASSES.get((envelope.value_class or "").rpartition(".")[2])
        payload = bytes(envelope.value)
        if kind is None or exported(payload):
            continue
        assert msgspec.json.encode(msgspec.json.decode(payload, type=kind)) == payload
        checked += 1
    assert checked > 2000


def test_values_of_directory_entries_survive_too() -> None:
    kinds = set()
    for envelope in real_envelopes():
        if (envelope.value_class or "").endswith("DirEntryAndValue"):
            found = msgspec.json.decode(envelope.value, type=d.DirEntryAndValue)
            kinds.add(found.entry.kind)
            value: object = msgspec.json.decode(found.value, type=VALUES[found.entry.kind])
            assert msgspec.json.encode(value) == bytes(found.value)
    assert kinds == set(VALUES)


def test_envelopes_survive() -> None:
    assert all(decode_envelope(encode_envelope(envelope)) == envelope for envelope in real_envelopes())
