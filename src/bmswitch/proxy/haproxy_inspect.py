"""A look at one running HAProxy: its workers by the master socket, its configuration by the files that it was started with.

HAProxy does not tell its timeouts and rules, so the files are read; that they are what runs is not proved.
"""

import itertools
import re
from pathlib import Path
from typing import Final

import msgspec

from bmswitch.model.config import Colour, HaproxyNode
from bmswitch.proxy.haproxy_socket import MasterSocket, frontend_limits
from bmswitch.proxy.inspection import Inspection, command_line, open_files_limit, younger_files
from bmswitch.proxy.layout import COLOURS
from bmswitch.proxy.sockets import shortest_queue

_TIME: Final = re.compile(r"(\d+)(us|ms|s|m|h|d|)")
_UNITS: Final = {"us": 1e-6, "ms": 0.001, "": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WAITING: Final = ("timeout client", "timeout queue", "timeout http-request")
"""What runs while a request or connection is held; `timeout server` begins after it."""


class Section(msgspec.Struct, frozen=True):
    """One section of a configuration file: its first line and the others, without comments."""

    head: str
    lines: list[str]


def inspect_haproxy(node: HaproxyNode, *, timeout: float) -> Inspection:
    """Facts about one HAProxy; `timeout` bounds each question to the master socket, in seconds.

    Raises:
        UnreachableError, UnknownError: no answer, or none that is understood.
    """
    master = MasterSocket(node.socket, node.map_file, timeout=timeout)
    pids, old = master.workers(), master.old_workers()
    maximum = [int(found) for pid in pids if (found := _value(master.worker(pid, "show info"), "Maxconn"))]
    fronts = frontend_limits(master.worker(pids[-1], "show stat -1 1 -1"))
    limits = [limit for pid in pids if (limit := open_files_limit(pid)) is not None]
    configuration = _files(master.master_pid())
    text = "\n".join(_text(one) for one in configuration)
    sections = parse_sections(text)
    cap = lua_cap(sections)
    return Inspection(
        missing=missing_pieces(sections, node.map_file) if sections else [],
        unread=([] if sections else ["the configuration files"])
        + ([] if cap else ["the cap in the Lua file"]),
        old=old,
        changed=younger_files([*configuration, *_lua_files(sections)], pids),
        backlog=shortest_queue(pids),
        waits=waits(sections, node.map_file),
        files=min(limits, default=None),
        clients=min([*maximum, *_limits(fronts, sections, node.map_file)], default=None),
        cap=cap,
        skew=0.0,  # the driver sets the deadline on the machine that keeps it: the map is a file
        mail=_mail(node, master.worker(pids[-1], "show servers state")),
    )


def parse_sections(text: str) -> list[Section]:
    """Sections in their order; a line that is not indented and names a section begins one."""
    found: list[Section] = []
    for raw in text.splitlines():
        line = " ".join(re.sub(r"(^|\s)#.*", "", raw).split())
        if re.match(r"(global|defaults|frontend|backend|listen|peers|resolvers|cache|userlist)\b", line):
            found.append(Section(line, []))
        elif line and found:
            found[-1].lines.append(line)
    return found


def missing_pieces(sections: list[Section], map_file: str) -> list[str]:
    """What the frontends that follow the map lack; without any, that."""
    following = _following(sections, map_file)
    if not following:
        return [f"no frontend chooses its backend by {map_file}"]
    missing = []
    for one in following:
        rule = "tcp-request content lua.hold" if _is_tcp(one, sections) else "http-request lua.hold"
        if not any(line.startswith(rule) for line in one.lines):
            missing.append(f"{one.head} has no `{rule}`")
        if _is_tcp(one, sections) and not any("inspect-delay" in line for line in one.lines):
            missing.append(f"{one.head} has no `tcp-request inspect-delay`")
    return missing


def waits(sections: list[Section], map_file: str) -> dict[str, float]:
    """Seconds by which something held is kept, from the defaults and from each frontend that follows the map."""
    found: dict[str, float] = {}
    for one in [*(s for s in sections if s.head.startswith("defaults")), *_following(sections, map_file)]:
        for line in one.lines:
            name = (
                "tcp-request inspect-delay"
                if line.startswith("tcp-request inspect-delay ")
                else " ".join(line.split()[:2])
            )
            if name in {*_WAITING, "tcp-request inspect-delay"} and (
                time := _TIME.fullmatch(line.split()[-1])
            ):
                found[f"{one.head}: {name}"] = int(time[1]) * _UNITS[time[2]]
    return found


def lua_cap(sections: list[Section]) -> float | None:
    """`CAP_MS` of the Lua file, in seconds."""
    for path in _lua_files(sections):
        if found := re.search(r"^local CAP_MS = (\d+)", _text(path), re.MULTILINE):
            return int(found[1]) / 1000
    return None


def _lua_files(sections: list[Section]) -> list[Path]:
    lines = [line for one in sections if one.head == "global" for line in one.lines]
    return [Path(line.split()[1]) for line in lines if line.startswith(("lua-load-per-thread ", "lua-load "))]


def _limits(fronts: dict[str, int], sections: list[Section], map_file: str) -> list[int]:
    """The running limits of the frontends that follow the map."""
    names = [one.head.split()[1] for one in _following(sections, map_file) if " " in one.head]
    return [fronts[name] for name in names if fronts.get(name)]


def _following(sections: list[Section], map_file: str) -> list[Section]:
    return [
        one
        for one in sections
        if one.head.startswith(("frontend", "listen"))
        and any(line.startswith("use_backend") and f"map({map_file}" in line for line in one.lines)
    ]


def _is_tcp(one: Section, sections: list[Section]) -> bool:
    modes = [line for part in [*(s for s in sections if s.head.startswith("defaults")), one] for line in part.lines
             if line.startswith("mode ")]  # fmt: skip
    return bool(modes) and modes[-1] == "mode tcp"


def _mail(node: HaproxyNode, text: str) -> dict[Colour, list[str]]:
    """Addresses of the mail backends of each colour, from `show servers state`."""
    rows = [line.split() for line in text.splitlines()]
    return {
        colour: [
            f"{row[4]}:{row[18]}"
            for row in rows
            if len(row) > 18 and row[1] in node.tcp_backends.get(colour, [])
        ]
        for colour in COLOURS
    }


def _files(master: int) -> list[Path]:
    """All configuration files that HAProxy was started with, in their order."""
    words = command_line(master)
    files: list[Path] = []
    for flag, value in itertools.pairwise(words):
        path = Path(f"/proc/{master}/cwd") / value
        if flag == "-f" and path.is_dir():
            files += sorted(path.glob("*.cfg"))
        elif flag == "-f":
            files.append(path)
    return files


def _value(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (\d+)", text, re.MULTILINE)
    return found[1] if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
