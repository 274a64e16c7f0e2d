"""Talks to HAProxy's master socket: to each worker by its pid, old workers too (proxy-cutover.md 5)."""

import csv
import io
import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bmswitch.model.errors import UnknownError, UnreachableError

_LARGEST_ANSWER: Final = 1 << 26  # `show sess` has some 300 bytes for each session
_AT_ONCE: Final = 64  # commands on one line: HAProxy reads 16 KiB
_STREAM: Final = re.compile(r"(0x[0-9a-f]+): .*? be=(\S+) .*? rq\[\S*?an=(\w+)h.*? rp\[\S*?an=(\w+)h")


class CutMap(msgspec.Struct, frozen=True):
    """The three keys as one worker, or the file, has them; `active` is empty when the key is missing."""

    active: str
    hold_until_ms: int
    fence: int


class Stream(msgspec.Struct, frozen=True):
    """One line of `show sess`: a TCP connection or an HTTP exchange. `tunnel`: bytes are only passed on, nothing is awaited."""

    pid: int
    name: str
    backend: str
    tunnel: bool


def parse_streams(text: str, pid: int) -> list[Stream]:
    """The sessions of one worker, the oldest of each thread first. HAProxy looks into a tunnel with no analyser at all."""
    found = map(_STREAM.match, text.splitlines())
    return [Stream(pid, one[1], one[2], int(one[3] + one[4], 16) == 0) for one in found if one]


def parse_map(pairs: dict[str, str], where: str) -> CutMap:
    """Key and value pairs as a `CutMap`.

    Raises:
        UnknownError: a number is none.
    """
    try:
        return CutMap(
            pairs.get("active", ""), int(pairs.get("hold_until", "0")), int(pairs.get("fence", "0"))
        )
    except ValueError as error:
        raise UnknownError(f"the map of {where} is not understood", evidence=str(error)) from error


def read_map_file(path: Path) -> CutMap:
    """The map file: each line a key and a value.

    Raises:
        UnknownError: it can not be read or understood.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnknownError(f"the map file {path} can not be read", evidence=str(error)) from error
    return parse_map(dict(line.split(None, 1) for line in lines if len(line.split()) == 2), str(path))


class MasterSocket:
    """One question, one connection. `timeout` bounds each question as a whole, in seconds."""

    def __init__(self, path: str, map_file: str, *, timeout: float) -> None:
        self._path = path
        self._map = map_file
        self._timeout = timeout

    def workers(self) -> list[int]:
        """Pids of all workers, those that a reload has left behind included.

        Raises:
            UnreachableError: no answer.
            UnknownError: no worker in the answer.
        """
        pids = worker_pids(self._ask("show proc"))
        if not pids:
            raise UnknownError("HAProxy's master names no worker", evidence=f"show proc on {self._path}")
        return pids

    def old_workers(self) -> list[int]:
        """Pids of those that a reload has left behind.

        Raises:
            UnreachableError: no answer.
        """
        return worker_pids(self._ask("show proc").partition("# old workers")[2], section="old workers")

    def master_pid(self) -> int:
        """Pid of the master.

        Raises:
            UnreachableError, UnknownError: no answer, or no master in it.
        """
        words = [line.split() for line in self._ask("show proc").splitlines()]
        found = [word[0] for word in words if len(word) > 1 and word[1] == "master"]
        if not found:
            raise UnknownError("HAProxy's master does not name itself", evidence=f"show proc on {self._path}")
        return int(found[0])

    def worker(self, pid: int, command: str) -> str:
        """One worker's answer to a command that only reads.

        Raises:
            UnreachableError: no answer.
        """
        return self._ask(f"@!{pid} {command}")

    def set_map(self, values: dict[str, str]) -> None:
        """Sets the keys in every worker, in their order.

        Raises:
            UnreachableError: no answer, or a refusal by a worker that still lives.
        """
        for pid in self.workers():
            commands = [f"@!{pid} set map {self._map} {key} {value}" for key, value in values.items()]
            answer = self._ask("; ".join(commands)).strip()
            if answer and pid in self.workers():
                raise UnreachableError(f"HAProxy worker {pid} refuses the change", evidence=answer[:200])

    def maps(self) -> dict[int, CutMap]:
        """The map as each worker has it.

        Raises:
            UnreachableError, UnknownError: no answer, or none that is understood.
        """
        return {pid: self._map_of(pid) for pid in self.workers()}

    def _map_of(self, pid: int) -> CutMap:
        lines = self._ask(f"@!{pid} show map {self._map}").splitlines()
        words = [line.split() for line in lines]
        return parse_map({word[1]: word[2] for word in words if len(word) == 3}, f"worker {pid}")

    def sessions(self) -> dict[str, int]:
        """Backend name to its current sessions (HTTP: requests, TCP: connections), summed over all workers.

        Raises:
            UnreachableError, UnknownError: no answer, or none that is understood.
        """
        total: dict[str, int] = {}
        for pid in self.workers():
            for name, number in current_sessions(self._ask(f"@!{pid} show stat -1 2 -1")).items():
                total[name] = total.get(name, 0) + number
        return total

    def streams(self) -> list[Stream]:
        """Every session of every worker.

        Raises:
            UnreachableError, UnknownError: no answer.
        """
        return [one for pid in self.workers() for one in parse_streams(self._ask(f"@!{pid} show sess"), pid)]

    def shutdown(self, streams: Sequence[Stream]) -> int:
        """Ends these; returns how many were still there.

        Raises:
            UnreachableError: no answer.
        """
        ended = 0
        for at in range(0, len(streams), _AT_ONCE):
            some = streams[at : at + _AT_ONCE]
            answer = self._ask("; ".join(f"@!{one.pid} shutdown session {one.name}" for one in some))
            ended += len(some) - answer.count("No such session")
        return ended

    def _ask(self, line: str) -> str:
        deadline = time.monotonic() + self._timeout
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(self._timeout)
                link.connect(self._path)
                link.sendall(line.encode() + b"\n")
                link.shutdown(socket.SHUT_WR)  # the master answers what it got and closes
                return _read_all(link, deadline)
        except OSError as error:
            raise UnreachableError(
                "HAProxy's master socket does not answer",
                evidence=f"{self._path}: {error}",
                consequence="the proxy goes on as it is; a hold that was set ends by itself",
                next_command="start HAProxy again: docs/proxy.md, HAProxy",
            ) from error


def _read_all(link: socket.socket, deadline: float) -> str:
    """Everything until the other side closes."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < _LARGEST_ANSWER:
        link.settimeout(max(0.001, deadline - time.monotonic()))
        part = link.recv(65536)
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def worker_pids(text: str, *, section: str = "") -> list[int]:
    """Pids under `# workers` and `# old workers` of `show proc`; `section` is the one that the text begins in."""
    pids: list[int] = []
    for line in text.splitlines():
        if line.startswith("# "):
            section = line[2:].strip()
        elif section in {"workers", "old workers"} and line.split():
            pids.append(int(line.split()[0]))
    return pids


def current_sessions(text: str) -> dict[str, int]:
    """`scur` of each backend in the CSV of `show stat`.

    Raises:
        UnknownError: not such a table.
    """
    return _column(text, "BACKEND", "scur")


def frontend_limits(text: str) -> dict[str, int]:
    """Connections that each frontend takes, `slim` in the CSV of `show stat`.

    Raises:
        UnknownError: not such a table.
    """
    return _column(text, "FRONTEND", "slim")


def _column(text: str, kind: str, column: str) -> dict[str, int]:
    rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
    try:
        return {row["pxname"]: int(row[column] or 0) for row in rows if row.get("svname") == kind}
    except (KeyError, ValueError) as error:
        raise UnknownError("HAProxy's statistics are not understood", evidence=text[:200]) from error
