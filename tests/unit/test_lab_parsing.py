"""Mails become the records that BlueMind would write; hashes are in its format."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmswitch.lab.services.bodies import compress, decompress, guid_of
from bmswitch.lab.services.parsing import conversation_of, parse_mail
from bmswitch.lab.services.passwords import hash_password, is_hash, verify
from bmswitch.lab.services.shapes_mail import Part

MULTIPART = (
    b"From: =?utf-8?q?=C3=89milie?= <emilie@lab.test>\r\nTo: Bob <bob@lab.test>, c@lab.test\r\nCc: d@lab.test\r\n"
    b"Subject: =?utf-8?q?r=C3=A9union?=\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <2@lab.test>\r\n"
    b"References: <1@lab.test>\r\nX-Bm-Draft-Refresh-Date: 1\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=C3=A9llo   you\r\n"
    b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
)


def test_a_multipart_mail_is_described_part_by_part() -> None:
    body = parse_mail("g", MULTIPART, 5).body
    assert (body.subject, body.date, body.created, body.size) == (
        "réunion",
        1_700_000_000_000,
        5,
        len(MULTIPART),
    )
    assert [(r.kind, r.address, r.dn) for r in body.recipients] == [
        ("Originator", "emilie@lab.test", "Émilie"),
        ("Primary", "bob@lab.test", "Bob"),
        ("Primary", "c@lab.test", None),
        ("CarbonCopy", "d@lab.test", None),
    ]
    assert body.references == ["<1@lab.test>"]
    assert [(h.name, h.values) for h in body.headers] == [("X-Bm-Draft-Refresh-Date", ["1"])]
    assert body.preview == "héllo you"
    assert isinstance(body.structure, Part)
    assert body.structure.address == "TEXT"
    text, pdf = body.structure.children or []
    assert (text.mime, text.address, text.charset) == ("text/plain", "1", "utf-8")
    assert (pdf.mime, pdf.file_name, pdf.disposition_type) == ("application/pdf", "a.pdf", "ATTACHMENT")


def test_the_search_source_holds_the_text() -> None:
    source = json.loads(base64.b64decode(parse_mail("g", MULTIPART, 5).source.data))
    assert source["content"] == "héllo you"
    assert source["from"] == ["Émilie", "emilie@lab.test"]
    assert source["date"] == "2023-11-14T22:13:20Z"


def test_an_answer_is_in_the_conversation_of_its_root() -> None:
    root = parse_mail("r", b"Message-ID: <1@lab.test>\r\n\r\n", 0).body
    assert conversation_of(root) == conversation_of(parse_mail("g", MULTIPART, 0).body)
    assert -(2**63) <= int(conversation_of(root)) < 2**63


@given(st.binary(max_size=2000))
def test_no_bytes_are_refused(raw: bytes) -> None:
    body = parse_mail(guid_of(raw), raw, 0).body
    assert body.size == len(raw)
    assert decompress(compress(raw)) == raw


def test_hashes_have_the_real_format_and_are_kept_when_given() -> None:
    stored = hash_password("secret")
    assert len(stored.split(":")[2]) == 64
    assert is_hash(stored)
    assert hash_password(stored) == stored
    assert verify("secret", stored)
    assert not verify("Secret", stored)
    assert not verify("secret", "no hash")


@pytest.mark.parametrize("text", ["", "secret", "1000:zz:11", "a:b:c"])
def test_plain_texts_are_no_hashes(text: str) -> None:
    assert not is_hash(text)
