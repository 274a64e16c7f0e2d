"""One journal line: a JSON object whose last key is the CRC32 of all bytes before it.

`{"seq":7,"at":"...",...,"crc":"1f2e3d4c"}`: any JSON reader can read it, and a changed byte is found.
"""

import zlib

import msgspec

from bmswitch.model.switch import Entry

_TAIL = len(b',"crc":"00000000"}')


class DamageError(ValueError):
    """A line that can not be trusted; the text says why."""


def encode(entry: msgspec.Struct) -> bytes:
    """The line of one entry, or of one note (`journal.notes`), with its line end."""
    body = msgspec.json.encode(entry)[:-1]
    return body + _tail(body) + b"\n"


def decode(line: bytes) -> Entry:
    """The entry of one line (with or without its line end).

    Raises:
        DamageError: too short, wrong checksum, or not an entry.
    """
    line = line.rstrip(b"\n")
    body = line[:-_TAIL]
    if len(line) <= _TAIL or line[-_TAIL:] != _tail(body):
        raise DamageError("the checksum does not fit the line")
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.MsgspecError as error:
        raise DamageError(f"not an entry: {error}") from error


def _tail(body: bytes) -> bytes:
    return b',"crc":"%08x"}' % zlib.crc32(body)
