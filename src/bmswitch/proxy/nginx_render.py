"""Writes an nginx configuration whose colour and hold stand in one state file, and the pieces for one that is there already.

Needs nginx 1.22 or newer with njs 0.7.9 or newer for HTTP and stream (proxy-cutover.md 6).
"""

import resource
from pathlib import Path
from typing import Final

from bmswitch.model.config import Colour
from bmswitch.model.errors import ConfigError
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.layout import COLOURS, GROUPS, Backends, Listener, Protocol, protocols, split_address
from bmswitch.proxy.nginx_script import HOLD_PATH, PROBE_SOURCE, STATE_PATH, script_text, state_text

CONFIG: Final = "nginx.conf"
SCRIPT: Final = "bmswitch.js"
STATE: Final = "state"
HTTP: Final = "http.conf"
SERVER: Final = "server.conf"
STREAM: Final = "stream.conf"
PID: Final = "nginx.pid"
MODULES: Final = "/usr/lib/nginx/modules"

_MAIN: Final = """\
{user}daemon off;
worker_processes {workers};
worker_rlimit_nofile {files};
pid {directory}/nginx.pid;
error_log stderr warn;
{modules}
events {{
    worker_connections {connections};
}}
"""

_HTTP_SETTINGS: Final = """\
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {directory}/tmp/body;
    proxy_temp_path {directory}/tmp/proxy;
    fastcgi_temp_path {directory}/tmp/fastcgi;
    uwsgi_temp_path {directory}/tmp/uwsgi;
    scgi_temp_path {directory}/tmp/scgi;
"""

_SERVER: Final = """\
# In every server {{}} that clients use. A location with an auth_request of its own is not held.
auth_request {hold};
location = {hold} {{
    internal;
    js_content bmswitch.hold;
}}
location = {state} {{
    auth_request off;
    allow {probe};
    deny all;
    js_content bmswitch.state;
}}
"""

_LOCATION: Final = """\
        location / {
            proxy_pass http://$bmswitch_web;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_next_upstream error;
            proxy_connect_timeout 2s;
            proxy_read_timeout 35m;
            proxy_send_timeout 35m;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $bmswitch_connection;
        }
"""


def render_nginx(
    directory: Path,
    listeners: list[Listener],
    backends: Backends,
    *,
    probe: str,
    colour: Colour = "blue",
    user: str = "",
    workers: int = 2,
    max_connections: int = 8000,
    modules: str = MODULES,
    spread: int = 0,
) -> Path:
    """Writes `nginx.conf`, its pieces, the script and, if missing, the state file; returns the path of `nginx.conf`.

    `probe` is a free `host:port` on loopback where nginx answers for the mail listeners. `user` is the workers' (they
    must be able to read `directory/state`); empty: nginx's own choice. The driver's `state_file` is then
    `directory/state`, its `pid_file` `directory/nginx.pid`. An existing state file keeps its colour. `spread`: milliseconds by which the
    release is stretched; 0 is 35 ms in all.

    Raises:
        ConfigError: a protocol without address, or a path that nginx can not have.
    """
    directory = directory.absolute()
    wanted = protocols(listeners, backends)
    pieces = nginx_pieces(directory, listeners, backends, probe=probe, spread=spread)
    (directory / "tmp").mkdir(parents=True, exist_ok=True)
    state = directory / STATE
    if not state.exists():
        replace_file(state, state_text(colour, hold_until_ms=0, fence=0))
    for name, text in pieces.items():
        replace_file(directory / name, text)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    main = _MAIN.format(
        user=f"user {user};\n" if user else "",
        workers=workers,
        files=limit,
        directory=directory,
        modules=_modules(modules, wanted),
        connections=max(100, min(2 * max_connections, limit - 200)),  # one to the client, one to the backend
    )
    parts = [main]
    if "http" in wanted:
        parts.append(_http_block(directory, listeners))
    if STREAM in pieces:
        parts.append(f"stream {{\n    include {directory}/{STREAM};\n}}\n")
    replace_file(directory / CONFIG, "\n".join(parts))
    return directory / CONFIG


def nginx_command(directory: Path, *, binary: str = "nginx") -> list[str]:
    """Argument list that starts the rendered node in the foreground (SIGTERM stops it, SIGHUP reloads)."""
    return [binary, "-c", str(directory.absolute() / CONFIG)]


def nginx_pieces(
    directory: Path, listeners: list[Listener], backends: Backends, *, probe: str, spread: int = 0
) -> dict[str, str]:
    """The script and what to include in `http {}`, each `server {}` and `stream {}`, by file name. Writes nothing.

    Raises:
        ConfigError: as `render_nginx`.
    """
    if not set(str(directory)).isdisjoint("'\\ ;{}$\"\n#"):
        raise ConfigError(
            f"nginx can not have the folder {directory}", evidence="a blank, quote or sign in its name"
        )
    wanted = protocols(listeners, backends)
    split_address(probe)
    pieces = {SCRIPT: script_text(str(directory / STATE), spread=spread)}
    if "http" in wanted:
        pieces[HTTP] = _http_piece(directory, backends)
        pieces[SERVER] = _SERVER.format(hold=HOLD_PATH, state=STATE_PATH, probe=PROBE_SOURCE)
    if any(p != "http" for p in wanted):
        pieces[STREAM] = _stream_piece(
            directory, [p for p in wanted if p != "http"], listeners, backends, probe
        )
    return pieces


def _modules(folder: str, wanted: list[Protocol]) -> str:
    names = ["http_js"] if "http" in wanted else []
    if any(p != "http" for p in wanted):
        names += ["stream", "stream_js"]
    return "".join(f"load_module {folder}/ngx_{name}_module.so;\n" for name in names)


def _http_block(directory: Path, listeners: list[Listener]) -> str:
    listens = [f"        listen {one.address} backlog=4096;" for one in listeners if one.protocol == "http"]
    lines = [
        "http {",
        _HTTP_SETTINGS.format(directory=directory),
        f"    include {directory}/{HTTP};",
        "    server {",
        *listens,
        f"        include {directory}/{SERVER};",
        _LOCATION.rstrip(),
        "    }",
        "}\n",
    ]
    return "\n".join(lines)


def _http_piece(directory: Path, backends: Backends) -> str:
    """A read may try twice, so its address stands there twice; nothing is kept open, so what is open is at work."""
    lines = [
        "# In http {}. Then `proxy_pass http://$bmswitch_web;` in each location.",
        f"js_import bmswitch from {directory}/{SCRIPT};",
        "js_set $bmswitch_web bmswitch.web;",
        "map $http_upgrade $bmswitch_connection {",
        "    default upgrade;",
        "    '' close;",
        "}",
    ]
    for colour in COLOURS:
        server = f"    server {backends[colour]['http']} max_fails=0;"
        lines += [f"upstream web_{colour} {{", server, server, "}"]
        lines += [f"upstream web_once_{colour} {{", server, "}"]
    for group in ("web", "web_once"):
        lines += _nowhere(group)
    return "\n".join(lines) + "\n"


def _stream_piece(
    directory: Path, wanted: list[Protocol], listeners: list[Listener], backends: Backends, probe: str
) -> str:
    lines = [
        "# In stream {}.",
        f"js_import bmswitch from {directory}/{SCRIPT};",
        "js_set $bmswitch_colour bmswitch.tcp;",
        "js_set $bmswitch_said bmswitch.said;",
        "server {",
        f"    listen {probe};",
        '    return "$bmswitch_said\\n";',
        "}",
    ]
    for protocol in wanted:
        group = GROUPS[protocol]
        for colour in COLOURS:
            lines += [
                f"upstream {group}_{colour} {{",
                f"    server {backends[colour][protocol]} max_fails=0;",
                "}",
            ]
        lines += [f"upstream {group}_probe {{", f"    server {probe};", "}", *_nowhere(group), "server {"]
        lines += [f"    listen {one.address} backlog=4096;" for one in listeners if one.protocol == protocol]
        lines += [
            "    js_access bmswitch.access;",
            f"    proxy_pass {group}_$bmswitch_colour;",
            "    proxy_connect_timeout 2s;",
            "    proxy_timeout 35m;",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _nowhere(group: str) -> list[str]:
    """Where a state file that can not be read leads: to a refusal, never to a guess."""
    return [f"upstream {group}_none {{", "    server 127.0.0.1:9 down;", "}"]
