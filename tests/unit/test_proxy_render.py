"""The written configurations: timeouts that outlast the longest hold, one source of colour, no colour by default."""

import json
import re
from pathlib import Path

import pytest

from bmswitch.model.errors import ConfigError
from bmswitch.proxy.envoy_files import GateCluster, GateState, eds_text, runtime_text
from bmswitch.proxy.envoy_render import render_envoy
from bmswitch.proxy.gate_files import GateFiles
from bmswitch.proxy.haproxy_render import haproxy_command, map_text, render_haproxy
from bmswitch.proxy.haproxy_socket import CutMap, read_map_file
from bmswitch.proxy.layout import HOLD_CAP_MS, Backends, Listener

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


def test_haproxy_frontends_read_one_key_and_have_no_default_colour(tmp_path: Path) -> None:
    text = render_haproxy(tmp_path, LISTENERS, BACKENDS).read_text()
    assert re.findall(r"use_backend (\S+)", text) == [
        f"{group}_%[str(active),map({tmp_path}/cut.map,none)]" for group in ("web", "imap", "smtp")
    ]
    assert re.findall(r"bind (\S+)", text) == [one.address for one in LISTENERS]
    for group in ("web", "imap", "smtp"):
        assert f"backend {group}_none" in text


def test_haproxy_inspects_longer_than_the_longest_hold(tmp_path: Path) -> None:
    text = render_haproxy(tmp_path, LISTENERS, BACKENDS).read_text()
    delays = [int(one) for one in re.findall(r"inspect-delay (\d+)s", text)]
    assert len(delays) == 2
    assert all(one * 1000 > HOLD_CAP_MS for one in delays)


def test_haproxy_lua_knows_the_map_and_the_cap(tmp_path: Path) -> None:
    render_haproxy(tmp_path, LISTENERS, BACKENDS)
    lua = (tmp_path / "hold.lua").read_text()
    assert f'Map.new("{tmp_path}/cut.map", Map._str)' in lua
    assert "CAP_MS = 10000" in lua


def test_rendering_again_keeps_the_colour_of_the_map(tmp_path: Path) -> None:
    render_haproxy(tmp_path, LISTENERS, BACKENDS)
    (tmp_path / "cut.map").write_text(map_text("green", hold_until_ms=0, fence=9))
    render_haproxy(tmp_path, LISTENERS, BACKENDS, colour="blue")
    assert read_map_file(tmp_path / "cut.map") == CutMap("green", 0, 9)


def test_haproxy_master_socket_is_private(tmp_path: Path) -> None:
    assert f"{tmp_path}/master.sock,mode,600" in haproxy_command(tmp_path)


def test_envoy_has_one_cluster_for_each_protocol_and_a_listener_for_each_address(tmp_path: Path) -> None:
    resources = json.loads(render_envoy(tmp_path, LISTENERS, BACKENDS, admin="127.0.0.1:9901").read_text())[
        "static_resources"
    ]
    assert [one["name"] for one in resources["clusters"]] == ["web", "imap", "smtp", "bmswitch_gate"]
    ports = [one["address"]["socket_address"]["port_value"] for one in resources["listeners"]]
    assert ports == [8080, 8443, 143, 25]


def test_envoy_waits_longer_for_the_gate_than_the_longest_hold_and_lets_pass_without_it(
    tmp_path: Path,
) -> None:
    bootstrap = json.loads(render_envoy(tmp_path, LISTENERS, BACKENDS, admin="127.0.0.1:9901").read_text())
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    hold = manager["http_filters"][0]["typed_config"]
    assert float(hold["http_service"]["server_uri"]["timeout"][:-1]) * 1000 > HOLD_CAP_MS
    assert hold["failure_mode_allow"] is True
    assert hold["filter_enabled"]["default_value"]["numerator"] == 0
    assert manager["request_timeout"] == "0s"


def test_envoy_repeats_only_reads_after_a_reset(tmp_path: Path) -> None:
    text = render_envoy(tmp_path, LISTENERS, BACKENDS, admin="127.0.0.1:9901").read_text()
    listener = json.loads(text)["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    reads, rest = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert "reset" in reads["route"]["retry_policy"]["retry_on"].split(",")
    assert "reset" not in rest["route"]["retry_policy"]["retry_on"].split(",")
    assert "POST" not in reads["match"]["headers"][0]["string_match"]["safe_regex"]["regex"]


def test_rendering_again_keeps_the_colour_of_the_gate(tmp_path: Path) -> None:
    render_envoy(tmp_path, LISTENERS, BACKENDS, admin="127.0.0.1:9901")
    GateFiles(tmp_path).write_state(GateState("green", fence=4), durable=False)
    render_envoy(tmp_path, LISTENERS, BACKENDS, admin="127.0.0.1:9901", colour="blue")
    assert GateFiles(tmp_path).state() == GateState("green", fence=4)


def test_endpoints_carry_both_colours_and_only_one_is_healthy() -> None:
    text = eds_text(GateCluster("web", "http", "127.0.1.1:80", "127.0.2.1:80"), "green", "7")
    (resource,) = json.loads(text)["resources"]
    seen = {
        one["locality"]["zone"]: (
            one["lb_endpoints"][0]["health_status"],
            one["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"],
        )
        for one in resource["endpoints"]
    }
    assert seen == {"blue": ("DRAINING", "127.0.1.1"), "green": ("HEALTHY", "127.0.2.1")}


def test_the_hold_is_all_requests_or_none() -> None:
    layers = [json.loads(runtime_text("1", held=held))["resources"][0]["layer"] for held in (True, False)]
    assert layers == [{"bmswitch.hold": 100}, {"bmswitch.hold": 0}]


def test_a_folder_with_a_long_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    far = tmp_path / ("d" * 100)
    with pytest.raises(ConfigError, match="too long"):
        render_envoy(far, LISTENERS, BACKENDS, admin="127.0.0.1:9901")
    with pytest.raises(ConfigError, match="too long"):
        render_haproxy(far, LISTENERS, BACKENDS)
    assert not far.exists()
