"""Which colour answers on each frontend: what it says is compared with what both colours say when asked directly."""

import contextlib
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from bmswitch.bluemind.types import InstallationVersion
from bmswitch.model.config import Colour, Frontends
from bmswitch.workflows.sites import trusting
from bmswitch.workflows.soak import first_line

_PUBLIC: Final = ("/api/system/installation/version", "/api/system/installation/_infos")
"""Asked without a key: a frontend is no place to send the administrator's."""
_PATIENCE: Final = 3.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One frontend: what it said, and the colour that says the same; empty when neither or both do. `error`: no answer."""

    frontend: str
    said: str = ""
    colour: str = ""
    error: str = ""


def answers(
    frontends: Frontends,
    versions: Mapping[Colour, str],
    mail: Mapping[Colour, list[str]],
    *,
    verify: bool | str,
) -> list[Answer]:
    """One look at each frontend. `versions`: what each core says of itself; `mail`: backends of each colour, greeted here."""
    told = {colour: [version] for colour, version in versions.items() if version}
    wanted = {"* ": frontends.imap, "220": frontends.smtp}
    greeted = _greetings(mail) if any(wanted.values()) else {}
    return [
        *(_of_web(url, told, verify=verify) for url in frontends.http),
        *(_of_mail(at, word, greeted) for word, addresses in wanted.items() for at in addresses),
    ]


def same_as(said: str, told: Mapping[Colour, list[str]]) -> str:
    """The one colour that says exactly this; empty when none or both do."""
    found = [colour for colour, words in told.items() if said in words]
    return found[0] if len(found) == 1 else ""


def _of_web(url: str, told: Mapping[Colour, list[str]], *, verify: bool | str) -> Answer:
    error = ""
    for path in _PUBLIC:
        try:
            answer = httpx.get(
                url.rstrip("/") + path, timeout=_PATIENCE, verify=trusting(verify), trust_env=False
            )
        except httpx.HTTPError as problem:
            return Answer(frontend=url, error=type(problem).__name__)
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
            said = msgspec.json.decode(answer.content, type=InstallationVersion).software_version
            return Answer(frontend=url, said=said, colour=same_as(said, told))
        error = error or f"HTTP {answer.status_code}, and no version in it"
    return Answer(frontend=url, error=error)


def _of_mail(address: str, word: str, greeted: Mapping[Colour, list[str]]) -> Answer:
    try:
        said = first_line(address).strip()
    except OSError as problem:
        return Answer(frontend=address, error=type(problem).__name__)
    if not said.startswith(word):
        return Answer(frontend=address, error=f"greeted with {said[:60]!r}")
    return Answer(frontend=address, said=said, colour=same_as(said, greeted))


def _greetings(mail: Mapping[Colour, list[str]]) -> dict[Colour, list[str]]:
    found: dict[Colour, list[str]] = {}
    for colour, addresses in mail.items():
        for address in addresses:
            with contextlib.suppress(OSError):
                found.setdefault(colour, []).append(first_line(address).strip())
    return found
