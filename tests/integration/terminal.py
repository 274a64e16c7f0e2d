"""A command in a terminal of 80 columns, as an operator sits before it: what is on the screen, and keys."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

COLUMNS, ROWS = 80, 24
CTRL_C = "\x03"


class Terminal:
    """The master side of a pseudo terminal whose session leader is the command, so that Ctrl-C and a hang-up reach it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            ["env", "--default-signal=HUP", "setsid", "--ctty", *command],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, pattern: str, seconds: float = 40.0) -> None:
        """Reads until the text is on the screen."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end, f"{pattern!r} not within {seconds} s:\n{self.shown}"
            if not self._read(0.1):
                assert self.process.poll() is None, f"ended without {pattern!r}:\n{self.shown}"

    def press(self, keys: str) -> float:
        """Types; gives the moment."""
        os.write(self._master, keys.encode())
        return time.time()

    def hang_up(self) -> None:
        """The line is cut: the command loses its terminal."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def end(self, seconds: float = 40.0) -> int:
        """Reads what comes until the command has ended; its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"did not end:\n{self.shown}"
            if self._master < 0 or not self._read(0.1):
                time.sleep(0.02)
        while self._master >= 0 and self._read(0.1):
            pass
        return self.process.returncode

    def words(self) -> str:
        """The screen without colours and line ends, for sentences that were wrapped."""
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.shown).split())

    def widest(self) -> int:
        """The longest line that the command itself has written."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.shown)
        return max(len(line.split("\r")[-1]) for line in plain.replace("\r\n", "\n").split("\n"))

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO when the last process with this terminal has ended
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def terminal(command: Sequence[str], folder: Path) -> Iterator[Terminal]:
    """The command in a terminal; ended with the block."""
    made = Terminal(command, folder)
    try:
        yield made
    finally:
        made.hang_up()
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait(10)
