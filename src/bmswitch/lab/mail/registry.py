"""The open sessions of one listener."""

import asyncio
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """A set of open sessions that can be waited upon until it is empty."""

    def __init__(self) -> None:
        self._open: set[T] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[T]:
        """A copy: sessions may end while they are walked through."""
        return iter(list(self._open))

    def add(self, session: T) -> None:
        """A session began."""
        self._open.add(session)
        self._empty.clear()

    def discard(self, session: T) -> None:
        """A session ended; again is harmless."""
        self._open.discard(session)
        if not self._open:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Return when no session is open."""
        await self._empty.wait()
