"""Writes a HAProxy configuration whose colour and hold stand in one map file (proxy-cutover.md 5).

Every frontend reads the same keys, so one command turns all of them. Lua runs only while a hold is set.
"""

import resource
from pathlib import Path
from typing import Final

from bmswitch.model.config import Colour
from bmswitch.proxy.files import replace_file, socket_path
from bmswitch.proxy.layout import (
    COLOURS,
    GROUPS,
    HOLD_CAP_MS,
    LOOK_AGAIN_MS,
    Backends,
    Listener,
    Protocol,
    protocols,
    replace_words,
    split_address,
)

CONFIG: Final = "haproxy.cfg"
LUA: Final = "hold.lua"
MAP: Final = "cut.map"
MASTER_SOCKET: Final = "master.sock"

_HOLD_LUA: Final = """\
-- Keeps a request or connection while `hold_until` (epoch milliseconds) lies ahead, but never longer than the cap.
-- The random sleep spreads the release: over @most@ ms.
local cut = Map.new("@map@", Map._str)
local CAP_MS = @cap@

local function now_ms()
  local now = core.now()
  return now.sec * 1000 + math.floor(now.usec / 1000)
end

local function hold(_)
  local began = now_ms()
  while true do
    local now = now_ms()
    local hold_until = tonumber(cut:lookup("hold_until")) or 0
    if now >= hold_until or now - began >= CAP_MS then
      return
    end
    core.msleep(math.min(math.random(@least@, @most@), began + CAP_MS - now))
  end
end

core.register_action("hold", { "tcp-req", "http-req" }, hold, 0)
"""

_GLOBAL: Final = """\
global
    maxconn {maxconn}
    nbthread {threads}
    hard-stop-after 60s
    lua-load-per-thread {directory}/hold.lua

defaults
    mode http
    retries 3
    backlog 4096
    option redispatch
    timeout connect 2s
    timeout queue {wait}s
    timeout http-request {wait}s
    timeout http-keep-alive 60s
    timeout client 2100s
    timeout server 2100s
    timeout tunnel 2100s
"""


def render_haproxy(
    directory: Path,
    listeners: list[Listener],
    backends: Backends,
    *,
    colour: Colour = "blue",
    threads: int = 2,
    max_connections: int = 8000,
    spread: int = 0,
) -> Path:
    """Writes `haproxy.cfg`, `hold.lua` and, if missing, `cut.map` into `directory`; returns the path of `haproxy.cfg`.

    The driver's `socket` is then `directory/master.sock`, its `map_file` `directory/cut.map`, its `backends`
    `{"blue": ["web_blue"], "green": ["web_green"]}`, `tcp_backends` `{"blue": ["imap_blue", "smtp_blue"], ...}`.
    Start it with `haproxy_command(directory)`. An existing map keeps its colour. `max_connections` is lowered to what
    the limit of open files allows, as HAProxy refuses to start otherwise. `spread`: milliseconds by which the release is
    stretched; 0 is 35 ms in all.

    Raises:
        ConfigError: a protocol without address, or a path that is too long for a unix socket.
    """
    directory = directory.absolute()
    wanted = protocols(listeners, backends)
    socket_path(directory / MASTER_SOCKET)
    directory.mkdir(parents=True, exist_ok=True)
    map_file = directory / MAP
    if not map_file.exists():
        replace_file(map_file, map_text(colour, hold_until_ms=0, fence=0))
    replace_file(directory / LUA, _lua(map_file, spread))
    limit = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200) // 2
    head = _GLOBAL.format(
        directory=directory,
        threads=threads,
        maxconn=max(100, min(max_connections, limit)),
        wait=HOLD_CAP_MS // 1000 + 5,
    )
    parts = [head, *(_section(p, listeners, backends, map_file) for p in wanted)]
    config = directory / CONFIG
    replace_file(config, "\n".join(parts))
    return config


def haproxy_command(directory: Path, *, binary: str = "haproxy") -> list[str]:
    """Argument list that starts the rendered node in the foreground (SIGTERM stops it)."""
    directory = directory.absolute()
    return [binary, "-W", "-S", f"{directory / MASTER_SOCKET},mode,600", "-f", str(directory / CONFIG)]


def map_text(colour: Colour, *, hold_until_ms: int, fence: int) -> str:
    """The map file: what HAProxy reads at its start and at each reload."""
    return f"active {colour}\nhold_until {hold_until_ms}\nfence {fence}\n"


def _lua(map_file: Path, spread: int) -> str:
    least, most = LOOK_AGAIN_MS
    words = {"map": map_file, "cap": HOLD_CAP_MS, "least": least, "most": most + spread}
    return replace_words(_HOLD_LUA, words)


def _section(protocol: Protocol, listeners: list[Listener], backends: Backends, map_file: Path) -> str:
    group = GROUPS[protocol]
    binds = [f"    bind {_bind(one.address)}" for one in listeners if one.protocol == protocol]
    http = protocol == "http"
    front = [f"frontend {group}", *binds, *(_http_front(map_file) if http else _tcp_front(map_file))]
    front.append(f"    use_backend {group}_%[str(active),map({map_file},none)]")
    back = [_backend(group, one, backends[one][protocol], http=http) for one in COLOURS]
    return "\n".join([*front, "", *back, _nowhere(group, http=http)])


def _held(map_file: Path) -> str:
    return f"unless {{ str(hold_until),map({map_file},0) -m str 0 }}"


def _http_front(map_file: Path) -> list[str]:
    """A request with effects is sent once only: a backend that says nothing may have done it."""
    return [
        "    http-request disable-l7-retry unless { method GET HEAD OPTIONS PROPFIND }",
        f"    http-request lua.hold {_held(map_file)}",
    ]


def _tcp_front(map_file: Path) -> list[str]:
    """The inspection must outlast the longest hold: when it ends, the connection goes on silently."""
    return [
        "    mode tcp",
        f"    tcp-request inspect-delay {HOLD_CAP_MS // 1000 + 5}s",
        f"    tcp-request content lua.hold {_held(map_file)}",
    ]


def _backend(group: str, colour: Colour, address: str, *, http: bool) -> str:
    mode = "    retry-on conn-failure empty-response" if http else "    mode tcp"
    return f"backend {group}_{colour}\n{mode}\n    server {colour} {_bind(address)}\n"


def _nowhere(group: str, *, http: bool) -> str:
    """Where a map without colour leads: to a refusal, never to a guess."""
    rule = "    http-request return status 503" if http else "    mode tcp\n    tcp-request content reject"
    return f"backend {group}_none\n{rule}\n"


def _bind(address: str) -> str:
    host, port = split_address(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
