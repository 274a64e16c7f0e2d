"""A look at one running nginx: what its listeners answer, its workers, and its configuration as `nginx -T` tells it."""

import re
import subprocess
import time
from pathlib import Path
from typing import Final

from bmswitch.model.config import NginxNode
from bmswitch.proxy import nginx_process as process
from bmswitch.proxy.inspection import Inspection, command_line, open_files_limit, younger_files
from bmswitch.proxy.layout import split_address
from bmswitch.proxy.nginx import NginxProxy
from bmswitch.proxy.nginx_probe import Said
from bmswitch.proxy.nginx_script import HOLD_PATH
from bmswitch.proxy.sockets import Endpoint, resolve, shortest_queue

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_DUMP_WITHIN: Final = 5.0
_TIME_WAIT: Final = 60  # seconds for which Linux keeps an ended connection's port


def inspect_nginx(node: NginxNode, *, timeout: float) -> Inspection:
    """Facts about one nginx; `timeout` bounds the questions to its listeners, in seconds.

    Raises:
        UnreachableError: nginx does not run, or a listener does not answer.
    """
    pid_file = Path(node.pid_file)
    workers = process.workers(pid_file)
    before = time.time()
    said = NginxProxy(node, timeout=timeout).said()
    text = _configuration(process.masters(pid_file)[0])
    limits = [limit for pid in workers if (limit := open_files_limit(pid)) is not None]
    told = [one for one in said.values() if one.colour]
    return Inspection(
        missing=[*_without_script(said), *missing_pieces(text, node)] if text else _without_script(said),
        unread=[] if text else ["the configuration (`nginx -T` fails)"],
        changed=younger_files(read_files(text), workers),
        backlog=shortest_queue(workers, but=_inner(text)),
        old=[pid for pid, old in workers.items() if old],
        waits=shutdown_timeout(text),
        files=min(limits, default=None),
        clients=worker_connections(text) // 2 if text else None,
        rate=ports_carry(
            node,
            _number("tcp_tw_reuse"),
            _number("ip_local_port_range", 0),
            _number("ip_local_port_range", 1),
        ),
        cap=max((one.cap_ms / 1000 for one in told), default=None),
        skew=max((one.clock_ms / 1000 - before for one in told), key=abs, default=None),
        mail=dict(node.tcp_backends),
    )


def _without_script(said: dict[str, Said]) -> list[str]:
    astray = [
        f"listener {where} answers {one.strange!r} instead of its colour"
        for where, one in said.items()
        if one.strange
    ]
    unread = [
        f"listener {where} can not read its state file" for where, one in said.items() if one.colour == "none"
    ]
    return astray + unread


def missing_pieces(text: str, node: NginxNode) -> list[str]:
    """What a configuration (as of `nginx -T`) lacks."""
    bare = (line.partition("#")[0] for line in text.splitlines())
    lines = [f"{part.strip()};" for line in bare for part in re.split("[;{}]", line) if part.strip()]
    wanted = {f"auth_request {HOLD_PATH};": bool(node.http), "js_access bmswitch.access;": bool(node.tcp)}
    missing = [f"no `{piece}`" for piece, needed in wanted.items() if needed and piece not in lines]
    if node.http and not any(line.startswith("proxy_pass") and "$bmswitch_web" in line for line in lines):
        missing.append("no `proxy_pass http://$bmswitch_web;`")
    return missing + [
        f"`{line}` is not held"
        for line in lines
        if line.startswith("auth_request ") and line not in {*wanted, "auth_request off;"}
    ]


def ports_carry(node: NginxNode, reuse: int, first: int, last: int) -> int | None:
    """Requests a second until every local port to a backend waits out its minute; None when ended ones are used again.

    `reuse` is `net.ipv4.tcp_tw_reuse`: 1 everywhere, 2 on loopback only.
    """
    hosts = [split_address(address)[0] for addresses in node.backends.values() for address in addresses]
    near = all(host == "localhost" or host.startswith("127.") for host in hosts)
    if not hosts or reuse == 1 or (reuse == 2 and near) or last <= first:
        return None
    fewest = min(len(addresses) for addresses in node.backends.values())
    return (last - first + 1) * fewest // _TIME_WAIT


def read_files(text: str) -> list[Path]:
    """The files of which `nginx -T` made its text, and the scripts that they name."""
    names = re.findall(r"^# configuration file (\S+):$", text, re.MULTILINE)
    names += re.findall(r"^\s*js_import\s+(?:\w+\s+from\s+)?(\S+);", text, re.MULTILINE)
    return [Path(name) for name in names]


def _inner(text: str) -> frozenset[Endpoint]:
    """Where nginx answers for its own mail listeners: no client comes there."""
    found = re.search(r"listen (\S+);\s+return \"\$bmswitch_said", text)
    return frozenset(resolve(found[1])) if found else frozenset()


def _number(name: str, word: int = 0) -> int:
    try:
        return int(Path(f"/proc/sys/net/ipv4/{name}").read_text(encoding="ascii").split()[word])
    except (OSError, ValueError, IndexError):
        return 0


def shutdown_timeout(text: str) -> dict[str, float]:
    """`worker_shutdown_timeout`, if there is one: after a reload it cuts what an old worker holds."""
    found = re.search(r"^\s*worker_shutdown_timeout\s+(\d+)(ms|s|m|h|d|);", text, re.MULTILINE)
    return {"worker_shutdown_timeout": int(found[1]) * _UNITS[found[2]]} if found else {}


def worker_connections(text: str) -> int:
    """Connections of one worker, to clients and to backends together; 512 is nginx's default."""
    found = re.search(r"^\s*worker_connections\s+(\d+);", text, re.MULTILINE)
    return int(found[1]) if found else 512


def _configuration(master: int) -> str:
    """What the configuration files say now, empty when they can not be read."""
    words = " ".join(command_line(master)).removeprefix("nginx: master process ").split()
    if not words:
        return ""
    try:
        program = Path(f"/proc/{master}/exe").readlink()
        answer = subprocess.run(
            [str(program), *words[1:], "-T"],
            capture_output=True, text=True, timeout=_DUMP_WITHIN, check=False, cwd=f"/proc/{master}/cwd",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""
