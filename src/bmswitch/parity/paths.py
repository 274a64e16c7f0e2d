"""Paths of calls: templates of `parity.tables` with their parts percent-encoded."""

import re
from urllib.parse import quote

from bmswitch.model.differences import Place
from bmswitch.parity.mail import folder_of

_ESCAPES = {chr(code): f"%{code:02X}" for code in range(128)}
_ESCAPED = re.compile("[^A-Za-z0-9_.~-]")
"""As `quote` has it, in a ninth of its time; nearly every uid is ASCII."""


def fill(template: str, **parts: str) -> str:
    """A path with its parts percent-encoded."""
    return template.format(**{n: _quoted(part) for n, part in parts.items() if f"{{{n}}}" in template})


def path_of(template: str, place: Place) -> str:
    """The path of a place."""
    if "{container}" in template:
        template = template.replace("{container}", _quoted(place.container))
        if "{" not in template:
            return template
    return fill(template, owner=place.owner, domain=place.domain, folder=folder_of(place.container))


def _quoted(part: str) -> str:
    return _ESCAPED.sub(_escape, part) if part.isascii() else quote(part, safe="")


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]
