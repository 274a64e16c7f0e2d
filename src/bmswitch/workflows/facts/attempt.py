"""Reads a part of the facts: what can not be read becomes an error text, never a guess."""

from collections.abc import Callable
from typing import TypeVar

from bmswitch.model.errors import AccessError, BmswitchError, ConfigError

Part = TypeVar("Part")


def attempt(read: Callable[[], Part], otherwise: Part) -> tuple[Part, str]:
    """What was read and no error, or the substitute and why.

    A refused key is raised: everything behind it is dark. So is a wrong configuration: no site is to blame for it.
    """
    try:
        return read(), ""
    except (AccessError, ConfigError):
        raise
    except BmswitchError as error:
        return otherwise, told(error)


def quietly(read: Callable[[], Part], otherwise: Part) -> tuple[Part, str]:
    """The same for what may be closed to us: a right that we lack is only told."""
    try:
        return read(), ""
    except ConfigError:
        raise
    except BmswitchError as error:
        return otherwise, told(error)


def told(error: BmswitchError) -> str:
    """Cause and evidence in one line."""
    return ": ".join(part for part in (error.cause, error.evidence) if part)
