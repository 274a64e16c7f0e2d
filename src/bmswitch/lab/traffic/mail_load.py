"""What IMAP and SMTP clients have in common: how a command that got no answer is counted, and when it is repeated."""

import asyncio
from collections.abc import Awaitable, Callable

from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.ledger import Outcome, Protocol
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError

_ATTEMPTS = 4


class MailLoad:
    """Base of both: counts reconnects, repeats what may be repeated."""

    def __init__(self, context: Context, protocol: Protocol) -> None:
        self.context = context
        self._protocol = protocol

    async def perform(
        self,
        attempt: Callable[[], Awaitable[str]],
        scheduled: float,
        *,
        write: Write | None,
        idempotent: bool,
    ) -> Outcome:
        """Run one command or one mail, and count it; `attempt` opens what it needs and returns the side's name.

        Repeated, a few times: what was certainly not executed because the server ended the session first, and
        idempotent commands. Everything else without an answer is unknown.
        """
        try:
            side = await self._repeated(attempt, idempotent=idempotent)
        except (NoSessionError, CommandRefusedError) as error:
            self.context.stats.failed(self._protocol, str(error))
            return self._noted(write, "refused", reason=str(error))
        except EndedError as error:
            if write is None or not error.sent:
                self.context.stats.failed(self._protocol, str(error))
                return self._noted(write, "refused", reason=str(error))
            self.context.stats.unknown(self._protocol, str(error))
            return self._noted(write, "unknown", reason=str(error))
        except asyncio.CancelledError:
            self.context.stats.unknown(self._protocol, "the load ended")
            self._noted(write, "unknown", reason="the load ended")
            raise
        self.context.stats.answered(self._protocol, scheduled)
        return self._noted(write, "acknowledged", side=side)

    async def _repeated(self, attempt: Callable[[], Awaitable[str]], *, idempotent: bool) -> str:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return await attempt()
            except EndedError as error:
                if not left or error.timeout or (error.sent and not idempotent):
                    raise
                self.count_end(polite=error.polite)
        raise AssertionError("the last attempt returns or raises")

    def count_end(self, *, polite: bool) -> None:
        """A session ended and its client connects again: that is no failure, but cut without a word is told apart."""
        self.context.stats.requests.reconnects += 1
        if not polite:
            self.context.stats.requests.cut += 1

    def _noted(self, write: Write | None, outcome: Outcome, *, side: str = "", reason: str = "") -> Outcome:
        if write is not None:
            self.context.note(write, outcome, side=side, reason=reason)
        return outcome
