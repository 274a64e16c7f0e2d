"""Hashes of items for the proof: of normalised values (design: parity). Containers have none: docs/decisions/0010."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

import msgspec

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
_encode = msgspec.json.Encoder(order="sorted").encode


class Print(NamedTuple):
    """What is remembered of one item: `signals` are compared by name, `digest` stands for its normalised value."""

    signals: tuple[tuple[str, int | str | None], ...]
    digest: int


def normalise(value: Json, ignored: Collection[str] = (), *, ordered: bool = False) -> Json:
    """The value without what may differ between two equal items.

    Nulls and empty lists or objects are dropped (each version writes others), `ignored` names fields by dotted path
    (`contactInfos.identification.photo`; lists add nothing to the path), and lists are sorted unless `ordered`.
    """
    return _normalise(value, frozenset(ignored), "", ordered=ordered)


def _normalise(value: Json, ignored: frozenset[str], prefix: str, *, ordered: bool) -> Json:
    if isinstance(value, dict):
        kept: dict[str, Json] = {}
        for name, part in value.items():
            where = prefix + name
            if part is None or where in ignored:
                continue
            clean = _normalise(part, ignored, where + ".", ordered=ordered)
            if clean is not None:
                kept[name] = clean
        return kept or None
    if isinstance(value, list):
        parts = [_normalise(part, ignored, prefix, ordered=ordered) for part in value]
        if not ordered and len(parts) > 1:
            parts.sort(key=_encode)
        return parts or None
    return value


def value_digest(value: Json) -> int:
    """128-bit hash of a normalised value."""
    return int.from_bytes(hashlib.blake2b(_encode(value), digest_size=16).digest(), "big")
