"""What a node is made of, and which mistakes are refused before a proxy sees them."""

from pathlib import Path

import pytest

from bmswitch.model.errors import ConfigError
from bmswitch.proxy.files import replace_file, socket_path
from bmswitch.proxy.layout import Backends, Listener, protocols, split_address

BOTH: Backends = {
    "blue": {"http": "127.0.1.1:80", "imap": "127.0.1.1:143"},
    "green": {"http": "127.0.2.1:80", "imap": "127.0.2.1:143"},
}


@pytest.mark.parametrize("address", ["", "host", ":80", "host:", "host:x", "host:0", "host:65536", "host:-1"])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(ConfigError):
        split_address(address)


def test_addresses_are_split_and_brackets_dropped() -> None:
    assert split_address("mail.example:8080") == ("mail.example", 8080)
    assert split_address("[::1]:143") == ("::1", 143)


def test_only_protocols_with_a_listener_count() -> None:
    assert protocols([Listener("imap", "127.0.0.1:143")], BOTH) == ["imap"]


def test_a_protocol_needs_an_address_in_both_colours() -> None:
    with pytest.raises(ConfigError, match="smtp is listened on, but blue"):
        protocols([Listener("smtp", "127.0.0.1:25")], BOTH)


def test_both_colours_at_one_address_can_not_be_switched() -> None:
    same: Backends = {"blue": {"http": "127.0.1.1:80"}, "green": {"http": "127.0.1.1:80"}}
    with pytest.raises(ConfigError, match="same address"):
        protocols([Listener("http", "127.0.0.1:80")], same)


def test_no_listener_is_a_mistake() -> None:
    with pytest.raises(ConfigError):
        protocols([], BOTH)


def test_a_socket_path_may_have_107_bytes() -> None:
    assert socket_path(Path("/" + "a" * 106)) == "/" + "a" * 106
    with pytest.raises(ConfigError, match="too long"):
        socket_path(Path("/" + "a" * 107))


def test_a_replaced_file_has_the_new_content_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for content in ("one", "two"):
        replace_file(path, content, mode=0o600)
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
