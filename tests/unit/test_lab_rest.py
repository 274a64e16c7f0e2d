"""Routes of the stand-in: decoding of paths, and that everything the proof reads is there."""

from typing import Any
from urllib.parse import quote

import pytest

from bmswitch.lab.rest.router import VOID, Call, Router
from bmswitch.lab.rest.server import make_router
from bmswitch.parity.tables import COMPLETE, KINDS, SIDE

ROUTER = make_router()
PARTS = {"domain": "lab.test", "entry": "e", "owner": "o", "container": "c", "folder": "f"}
NEVER_MADE = {"/api/smime_cacerts/c/uid/_mget"}  # no container of this kind in the lab


def handler(_call: Call) -> object:
    return VOID


def test_literals_win_over_parameters_and_a_dead_end_is_left_again() -> None:
    router = Router()
    router.add("GET", "/a/{x}/list", handler)
    router.add("GET", "/a/special/{y}", handler)
    assert router.find("GET", "/a/special/1") == (handler, {"y": "1"})
    assert router.find("GET", "/a/special/list") == (handler, {"y": "list"})
    router.add("GET", "/a/{x}/deep/{z}", handler)
    assert router.find("GET", "/a/special/deep/9") == (handler, {"x": "special", "z": "9"})
    assert router.find("POST", "/a/special/1") is None
    assert router.find("GET", "/a//list") is None


@pytest.mark.parametrize(
    "uid",
    ["calendar:Default:u", "a/b", "subtree_lab_test!user.u", "x@y", "50%", "a+b c", "é", "sub-of-u-to-c"],
)
def test_a_quoted_segment_comes_back_as_it_was(uid: str) -> None:
    found = ROUTER.find("GET", f"/api/containers/_manage/{quote(uid, safe='')}/_itemCount")
    assert found is not None
    assert found[1] == {"c": uid}


def test_a_plus_in_a_path_is_a_space() -> None:
    found = ROUTER.find("GET", "/api/containers/_manage/a+b/_itemCount")
    assert found is not None
    assert found[1] == {"c": "a b"}


def test_two_handlers_for_one_route_are_refused() -> None:
    router = Router()
    router.add("GET", "/a/{x}", handler)
    with pytest.raises(ValueError, match="two handlers"):
        router.add("GET", "/a/{y}", handler)


def reads() -> list[tuple[str, str]]:
    found = [("GET", path) for path in COMPLETE.values()] + [("GET", side.path) for side in SIDE.values()]
    for kind in KINDS.values():
        found.append(("POST" if kind.read == "mget" else "GET", kind.path))
        found += [("POST", kind.query)] if kind.query else []
    return [
        (method, path.format(**PARTS)) for method, path in found if path.format(**PARTS) not in NEVER_MADE
    ]


@pytest.mark.parametrize(("method", "path"), reads())
def test_everything_the_proof_reads_is_served(method: str, path: str) -> None:
    assert ROUTER.find(method, path) is not None


def test_every_route_of_the_contract_is_served() -> None:
    base = "/api/system/installation"
    wanted: list[tuple[str, str]] = [
        ("GET", f"{base}/state"),
        ("GET", f"{base}/version"),
        ("POST", f"{base}/_initialize"),
        ("POST", f"{base}/_clone"),
        ("PUT", f"{base}/state/_demote"),
        ("PUT", f"{base}/state/_promote"),
        ("GET", "/api/tasks/1"),
        ("GET", "/api/tasks/1/_currentLogs"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/validate"),
        ("GET", "/api/servers/default/_complete"),
        ("POST", "/api/servers/default/bm-master"),
        ("POST", "/internal-api/db_message_bodies/p/_missing"),
        ("POST", "/internal-api/db_message_bodies/p/_multiple"),
        ("POST", "/internal-api/db_mailbox_records/f/_slice"),
        ("DELETE", "/api/groups/d/g/members"),
    ]
    missing: list[Any] = [route for route in wanted if ROUTER.find(*route) is None]
    assert missing == []
