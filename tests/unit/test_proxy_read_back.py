"""What the proxies say about themselves, as data: only full agreement is a colour."""

import json
from typing import Any

import pytest

from bmswitch.model.errors import UnknownError
from bmswitch.proxy import envoy_admin as admin
from bmswitch.proxy.api import InFlight
from bmswitch.proxy.haproxy_socket import CutMap, current_sessions, parse_map, worker_pids


def host(zone: str, health: str, **numbers: int) -> dict[str, Any]:
    return {
        "address": {"socket_address": {"address": "127.0.0.9", "port_value": 80}},
        "stats": [{"name": name, "value": str(value)} for name, value in numbers.items()]
        + [{"name": "cx_total"}],
        "health_status": {"eds_health_status": health},
        "locality": {"zone": zone},
    }


def clusters(**hosts: list[dict[str, Any]]) -> bytes:
    statuses = [{"name": name, "host_statuses": some} for name, some in hosts.items()]
    return json.dumps({"cluster_statuses": [*statuses, {"name": "bmswitch_gate"}]}).encode()


BLUE = [host("blue", "HEALTHY", rq_active=2, rq_pending_active=1, cx_active=5), host("green", "DRAINING")]
GREEN = [host("blue", "DRAINING", cx_active=3), host("green", "HEALTHY", cx_active=1)]


def test_all_clusters_agree() -> None:
    assert admin.serving_colour(admin.endpoints(clusters(web=BLUE, imap=BLUE)), ["web", "imap"]) == "blue"


@pytest.mark.parametrize(
    "found",
    [
        clusters(web=BLUE, imap=GREEN),
        clusters(web=BLUE),
        clusters(web=BLUE, imap=[]),
        clusters(web=BLUE, imap=[host("blue", "HEALTHY"), host("green", "HEALTHY")]),
        clusters(web=BLUE, imap=[host("blue", "DRAINING"), host("green", "DRAINING")]),
    ],
    ids=["disagree", "missing", "empty", "both serve", "none serves"],
)
def test_anything_else_is_unknown(found: bytes) -> None:
    assert admin.serving_colour(admin.endpoints(found), ["web", "imap"]) == "unknown"


def test_running_work_is_counted_by_colour_and_kind() -> None:
    found = admin.endpoints(clusters(web=BLUE, imap=GREEN, smtp=GREEN))
    assert admin.in_flight(found, ["web"], ["imap", "smtp"], "blue") == InFlight(3, 6)
    assert admin.in_flight(found, ["web"], ["imap", "smtp"], "green") == InFlight(0, 2)


@pytest.mark.parametrize("text", [b"", b"{}", b"upstream connect error", b'{"cluster_statuses": 3}'])
def test_what_is_no_answer_of_envoy_is_an_error(text: bytes) -> None:
    with pytest.raises(UnknownError):
        admin.endpoints(text)


def test_the_hold_as_envoy_has_it() -> None:
    assert admin.http_held(b'{"entries": {"bmswitch.hold": {"final_value": "100"}}}')
    assert not admin.http_held(b'{"entries": {"bmswitch.hold": {"final_value": "0"}}}')
    assert not admin.http_held(b'{"entries": {}}')
    name = "overload.envoy.overload_actions.stop_accepting_connections.active"
    for value in (0, 1):
        text = json.dumps({"stats": [{"name": name, "value": value}]}).encode()
        assert admin.tcp_held(admin.gauges(text)) is bool(value)


SHOW_PROC = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
100             master          1               0d00h00m05s     2.6.12
# workers
102             worker          0               0d00h00m01s     2.6.12
# old workers
101             worker          1               0d00h00m05s     2.6.12
# programs

"""


def test_workers_are_found_old_ones_too_and_the_master_is_none() -> None:
    assert worker_pids(SHOW_PROC) == [102, 101]
    assert worker_pids("Unknown command") == []


def test_sessions_are_those_of_backends() -> None:
    text = "# pxname,svname,qcur,qmax,scur,smax,\nweb_blue,BACKEND,0,0,3,9,\nweb_blue,blue,0,0,2,9,\nimap,BACKEND,0,0,,1,\n"
    assert current_sessions(text) == {"web_blue": 3, "imap": 0}


def test_statistics_of_something_else_are_an_error() -> None:
    with pytest.raises(UnknownError):
        current_sessions("# pxname,svname\nweb,BACKEND\n")


def test_a_map_without_colour_has_none_and_a_damaged_number_is_an_error() -> None:
    assert parse_map({}, "worker 1") == CutMap("", 0, 0)
    with pytest.raises(UnknownError, match="worker 1"):
        parse_map({"hold_until": "soon"}, "worker 1")
