"""What a loop does every so often, each thing at its own pace."""

import time


class Due:
    """`due("status", 0.1)`: True at first, and then when that many seconds have passed since it was."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, name: str, every: float) -> bool:
        """Whether it is time; if so, the next time is counted from now."""
        now = time.monotonic()
        if now - self._last.get(name, 0.0) < every:
            return False
        self._last[name] = now
        return True
