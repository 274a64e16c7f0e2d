"""Files of lines that end with the CRC32 of what is before it: a torn or changed line, and all behind it, is never trusted."""

import zlib
from collections.abc import Iterator

import msgspec

_MARK = 9


def sealed(value: msgspec.Struct) -> bytes:
    """One line."""
    text = msgspec.json.encode(value)
    return text + b" %08x\n" % zlib.crc32(text)


def whole_lines(raw: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole line without its checksum, and where it ends; stops at the first that is not whole."""
    start = 0
    while (end := raw.find(b"\n", start)) >= 0:
        text, mark = raw[start : end - _MARK], raw[end - _MARK : end]
        if mark != b" %08x" % zlib.crc32(text):
            return
        start = end + 1
        yield text, start
