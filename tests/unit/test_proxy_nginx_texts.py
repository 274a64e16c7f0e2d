"""nginx's side as text: the script, the state file, what a listener says, what a configuration lacks."""

import os
import socket
import struct
from pathlib import Path

import msgspec
import pytest

from bmswitch.model.config import NginxNode
from bmswitch.model.errors import ConfigError, UnknownError
from bmswitch.proxy.layout import HOLD_CAP_MS, Backends, Listener
from bmswitch.proxy.nginx_inspect import missing_pieces, ports_carry, shutdown_timeout, worker_connections
from bmswitch.proxy.nginx_probe import Said, parse_said
from bmswitch.proxy.nginx_render import nginx_pieces, render_nginx
from bmswitch.proxy.nginx_script import PROBE_SOURCE, parse_state, state_text
from bmswitch.proxy.sockets import Connection, connections, listener, parse_connection

LISTENERS = [
    Listener("http", "127.0.0.1:8080"),
    Listener("http", "127.0.0.1:8443"),
    Listener("imap", "127.0.0.1:143"),
    Listener("smtp", "[::1]:25"),
]
BACKENDS: Backends = {
    "blue": {"http": "127.0.1.1:80", "imap": "127.0.1.1:143", "smtp": "[::1]:2525"},
    "green": {"http": "127.0.2.1:80", "imap": "127.0.2.1:143", "smtp": "[::1]:2526"},
}
NODE = NginxNode(
    name="edge", state_file="/x/state", pid_file="/x/pid", backends={}, http=["http://a"], tcp=["a:1"]
)


def rendered(folder: Path, listeners: list[Listener] = LISTENERS) -> str:
    """All that nginx would read."""
    main = render_nginx(folder, listeners, BACKENDS, probe="127.0.0.1:8099").read_text()
    pieces = (folder / name for name in ("http.conf", "server.conf", "stream.conf"))
    return "\n".join([main, *(one.read_text() for one in pieces if one.exists())])


def test_a_state_survives_the_way_through_the_file() -> None:
    text = state_text("green", hold_until_ms=1763937327123, fence=7)
    assert text == "green 1763937327123 7\n"
    assert parse_state(text, "state") == ("green", 1763937327123, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blue 0 0",
        "blue 0\n",
        "red 0 0\n",
        "blue -1 0\n",
        "blue 0 0\n\n",
        "blue 0 0\nblue 0 0\n",
        "blue \u0661 0\n",
    ],
)
def test_what_the_script_would_not_read_is_not_read_here_either(text: str) -> None:
    with pytest.raises(UnknownError, match="not understood"):
        parse_state(text, "state")


def test_the_script_knows_its_file_and_the_cap_and_names_no_colour_of_its_own(tmp_path: Path) -> None:
    script = nginx_pieces(tmp_path, LISTENERS, BACKENDS, probe="127.0.0.1:8099")["bmswitch.js"]
    assert f"const STATE = '{tmp_path}/state';" in script
    assert f"const CAP_MS = {HOLD_CAP_MS};" in script
    assert "'blue'" not in script
    assert "'green'" not in script


def test_every_colour_is_a_variable_and_none_is_a_refusal(tmp_path: Path) -> None:
    text = rendered(tmp_path)
    assert "proxy_pass http://$bmswitch_web;" in text
    for group in ("imap", "smtp"):
        assert f"proxy_pass {group}_$bmswitch_colour;" in text
    for group in ("web", "web_once", "imap", "smtp"):
        assert f"upstream {group}_none {{\n    server 127.0.0.1:9 down;\n}}" in text


def test_a_write_has_one_address_to_try_and_a_read_two(tmp_path: Path) -> None:
    text = rendered(tmp_path)
    once = text.partition("upstream web_once_blue {")[2].partition("}")[0]
    twice = text.partition("upstream web_blue {")[2].partition("}")[0]
    assert (once.count("127.0.1.1:80"), twice.count("127.0.1.1:80")) == (1, 2)
    assert "keepalive" not in once + twice


def test_what_is_rendered_lacks_nothing(tmp_path: Path) -> None:
    assert missing_pieces(rendered(tmp_path), NODE) == []
    assert worker_connections(rendered(tmp_path)) >= 100
    assert shutdown_timeout(rendered(tmp_path)) == {}


def test_missing_pieces_are_named() -> None:
    text = "# auth_request /_bmswitch/hold;\nlocation /x { auth_request /login; }\nproxy_pass http://blue;\n"
    assert missing_pieces(text, NODE) == [
        "no `auth_request /_bmswitch/hold;`",
        "no `js_access bmswitch.access;`",
        "no `proxy_pass http://$bmswitch_web;`",
        "`auth_request /login;` is not held",
    ]
    own = missing_pieces("    auth_request /login;\n", NODE)
    assert "`auth_request /login;` is not held" in own
    assert shutdown_timeout("worker_shutdown_timeout 2m;") == {"worker_shutdown_timeout": 120.0}


def test_only_what_is_listened_on_is_rendered(tmp_path: Path) -> None:
    text = rendered(tmp_path, LISTENERS[:1])
    assert "\nstream {" not in text
    assert not (tmp_path / "stream.conf").exists()


def test_rendering_again_keeps_the_colour(tmp_path: Path) -> None:
    rendered(tmp_path)
    (tmp_path / "state").write_text(state_text("green", hold_until_ms=0, fence=9))
    rendered(tmp_path)
    assert (tmp_path / "state").read_text() == "green 0 9\n"


def test_a_folder_that_nginx_could_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can not have"):
        render_nginx(tmp_path / "a;b", LISTENERS, BACKENDS, probe="127.0.0.1:8099")


def test_ports_bound_the_rate_unless_ended_connections_are_used_again() -> None:
    far = msgspec.structs.replace(NODE, backends={"blue": ["10.0.0.1:80"], "green": ["10.0.0.2:80"]})
    near = msgspec.structs.replace(NODE, backends={"blue": ["127.0.1.1:80"], "green": ["127.0.2.1:80"]})
    assert ports_carry(far, 2, 32768, 60999) == ports_carry(near, 0, 32768, 60999) == 470
    assert ports_carry(far, 1, 32768, 60999) is None
    assert ports_carry(near, 2, 32768, 60999) is None


def test_a_listener_says_its_state_or_something_strange() -> None:
    assert parse_said("blue 5 7 10000 99\n") == Said("blue", 5, 7, 10000, 99)
    assert parse_said("none 0 0 10000 99\n").colour == "none"
    assert parse_said("* OK IMAP4rev1 ready\r\n") == Said("", strange="* OK IMAP4rev1 ready\r\n")
    assert parse_said("red 5 7 10000 99\n").colour == ""


def test_the_probe_comes_from_loopback() -> None:
    assert PROBE_SOURCE.startswith("127.")


def test_a_connection_is_read_as_the_kernel_tells_it() -> None:
    ends = struct.pack(">HH", 1234, 8080)
    plain = (
        b"\2\1\0\0"
        + ends
        + socket.inet_aton("127.0.0.1").ljust(16, b"\0")
        + socket.inet_aton("127.0.1.1").ljust(16, b"\0")
    )
    rest = struct.pack("=I8xIIIII", 0, 0, 0, 0, 33, 4711)
    seen = Connection(("127.0.0.1", 1234), ("127.0.1.1", 8080), 4711, socket.AF_INET, (plain + rest)[4:52])
    assert parse_connection(socket.AF_INET, plain + rest) == seen
    mapped = [socket.inet_pton(socket.AF_INET6, one) for one in ("::ffff:127.0.0.1", "::ffff:127.0.1.1")]
    sixth = parse_connection(socket.AF_INET6, b"\12\1\0\0" + ends + b"".join(mapped) + rest)
    assert (sixth.local, sixth.remote, sixth.inode) == (seen.local, seen.remote, seen.inode)


def test_the_kernel_tells_who_listens_and_who_is_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener(f"http://127.0.0.1:{port}") == os.getpid()
        assert connections([os.getpid()])["127.0.0.1", port] == 0
        with socket.create_connection(("127.0.0.1", port)):
            assert connections([os.getpid()])["127.0.0.1", port] == 1
            assert connections([os.getppid()])["127.0.0.1", port] == 0
    assert listener(f"http://127.0.0.1:{port}") is None
