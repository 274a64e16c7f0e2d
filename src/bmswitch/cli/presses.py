"""Ctrl-C, SIGTERM and a lost terminal while clients are held: each press has one meaning, and it is said at once.

| press | meaning |
| --- | --- |
| first, or the terminal is gone | turn back where that loses nothing, else go on |
| second | nothing: says what is under way, and what a third one does |
| third | leave at once, as kill -9 would: the journal says where, the proxies let clients go when their lease ends |

A second one alone leaves nothing half done, as a nervous hand presses twice.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from bmswitch.cli.render import to_nowhere, wrapped
from bmswitch.model.errors import InterruptedRunError
from bmswitch.model.switch import State

_STREAMS = (0, 1, 2)
_LEAVES = 3
_MS = 1000


class Presses:
    """The handlers, once `arm` was called; `put_back` restores the former ones. `stop` is the wish to turn back.

    `command` is what the operator typed. `leave` prints the error that it is given; the process ends after it, whatever its
    threads do.
    """

    def __init__(self, command: str, leave: Callable[[InterruptedRunError], None], *, quiet: bool) -> None:
        self.stop = threading.Event()
        self.state = State()
        self._command = command
        self._leave = leave
        self._quiet = quiet
        self._count = 0
        self._terminals = [stream for stream in _STREAMS if os.isatty(stream)]
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def arm(self) -> None:
        """From here on a signal is a wish. Twice is fine. A SIGHUP that is ignored (nohup) stays so."""
        if self._before:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._pressed)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hung_up)

    def put_back(self) -> None:
        """The former handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _pressed(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        self.stop.set()
        if self._count == 1:
            self._say("Ctrl-C: turning back where that loses nothing")
        elif self._count < _LEAVES:
            self._say(
                f"Ctrl-C again: {self._under_way()}; once more leaves at once, and {self._left_behind()}"
            )
        else:
            self._leave_now()

    def _hung_up(self, _number: int, _frame: FrameType | None) -> None:
        """Nobody watches any more: turn back. What is printed from here on goes nowhere, instead of failing."""
        to_nowhere(self._terminals)
        self.stop.set()

    def _under_way(self) -> str:
        serves = self.state.source if self.state.goal == "abort" else self.state.target
        return f"still on the way to {serves} (phase {self.state.phase})"

    def _left_behind(self) -> str:
        lease = self.state.limits.lease / _MS
        return f"the proxies let clients go by themselves within {lease:g} s"

    def _leave_now(self) -> None:
        error = InterruptedRunError(
            f"bmswitch was left in the middle of phase {self.state.phase}",
            evidence=f"Ctrl-C was pressed {_LEAVES} times",
            consequence=f"the switch is open; {self._left_behind()}",
            next_command=f"bmswitch status, then bmswitch {self._command} --abort or --resume",
        )
        with contextlib.suppress(Exception):  # the stream may be in use just now: leaving comes first
            self._leave(error)
        os._exit(error.exit_code)

    def _say(self, text: str) -> None:
        """Past Python's own stream, which the interrupted code may be writing to."""
        if not self._quiet:
            with contextlib.suppress(OSError):
                os.write(2, f"{wrapped(text)}\n".encode())
