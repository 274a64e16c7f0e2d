"""Differences as a tree that people read: domain, owner, container, item, then what differs, field by field."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from bmswitch.model.differences import Difference

_KIND = {
    "dir": "directory",
    "entry": "entry",
    "side": "side data",
    "containers": "containers",
    "containers_meta": "access and settings",
}


def tree(differences: Iterable[Difference], source: str, target: str) -> Iterator[str]:
    """Lines of text, two spaces a level. Known differences come with their reason; colours name the sides."""
    ordered = sorted(differences, key=lambda d: (d.domain, d.owner, d.type, d.container, d.item))
    for domain, of_domain in groupby(ordered, key=lambda d: d.domain):
        yield domain
        for owner, of_owner in groupby(of_domain, key=lambda d: d.owner):
            yield f"  {owner}"
            for (kind, container), of_container in groupby(of_owner, key=lambda d: (d.type, d.container)):
                yield f"    {_KIND.get(kind, kind)} {container}".rstrip()
                for item, found in groupby(of_container, key=lambda d: d.item):
                    yield from _item(item, list(found), source, target)


def _item(item: str, found: list[Difference], source: str, target: str) -> Iterator[str]:
    yield f"      {item}"
    for one in found:
        yield f"        {_said(one, source, target)}"
    first = found[0]
    if first.record is not None:
        at = first.record
        yield f"        since {at.operation} at {at.topic} {at.partition} offset {at.offset}"
    for label, text in (
        ("known", first.known),
        ("likely", None if first.known else first.cause),
        ("repair", first.repair),
    ):
        if text:
            yield f"        {label}: {text}"


def _said(one: Difference, source: str, target: str) -> str:
    if one.side != "both":
        there = source if one.side == "source" else target
        return f"only on {there}"
    if one.source is None and one.target is None:
        return one.what
    return f"{one.what}: {source} {one.source or 'none'}, {target} {one.target or 'none'}"
