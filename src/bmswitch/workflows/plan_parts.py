"""The configuration as keys and what may be told of each, so that a stale plan can say which keys have changed. No secret is in it."""

import hashlib

import msgspec

from bmswitch.model.config import Config

_HIDDEN = ("settings",)
"""Below these keys people write passwords in clear: of them only that they are there is told."""


def config_parts(config: Config) -> dict[str, str]:
    """Key (`budgets.hold`) to its value for numbers and truth values, to a short digest for texts."""
    found: dict[str, str] = {}
    _flatten(msgspec.to_builtins(config), "", found)
    return dict(sorted(found.items()))


def part_changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Sentences that name each key of the configuration that is not as it was."""
    found = [f"{key} is gone" for key in before if key not in now]
    for key, value in now.items():
        if key not in before:
            found.append(f"{key} is new")
        elif before[key] != value:
            told = not (value.startswith("#") or before[key].startswith("#"))
            found.append(f"{key} was {before[key]}, is {value}" if told else f"{key} is another")
    return found


def _flatten(value: object, at: str, found: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{at}.{key}" if at else str(key), found)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            _flatten(inner, f"{at}.{number}", found)
    elif isinstance(value, str):
        hidden = any(part in _HIDDEN for part in at.split("."))
        found[at] = "#" if hidden else "#" + hashlib.sha256(value.encode()).hexdigest()[:8]
    else:
        found[at] = f"{value:g}" if isinstance(value, float) else str(value).lower()
