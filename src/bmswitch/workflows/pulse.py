"""A sign of life that does not wait for anybody else."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Pulse:
    """Calls `beat` every so many seconds in a thread of its own, as long as it is entered; `check` raises what made it fail.

    So a core that answers after seconds is not taken for the end of the process that asks it.
    """

    def __init__(self, beat: Callable[[], None], every: float) -> None:
        self._beat, self._every = beat, every
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises what `beat` raised, if anything: it is not called again after that."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every):
                self._beat()
        except BaseException as failure:  # noqa: BLE001 -- handed to the thread that checks
            self._failure = failure
