"""The proof is proved on a real log: every mutant of green is found and named, and an untouched clone has none.

The clone stands still here, so the barrier has nothing to wait for; it is waited for on the untouched clone.
"""

import io
from collections.abc import Iterator

import pytest
import zstandard
from minio import Minio
from tests.integration.clone_kit import DOMAIN, DUMP
from tests.integration.dump_mutants import mutants, mutated
from tests.integration.standin_pair import EveryBody, Pair, prove, running_pair

from bmswitch.model.scope import Scope

pytestmark = [
    pytest.mark.skipif(not DUMP.is_dir(), reason="no real log: set BMSWITCH_REAL_LOG"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(tmp_path_factory.mktemp("dump"), DOMAIN, DUMP) as made:
        yield made


def test_an_untouched_clone_of_a_real_log_has_no_difference(pair: Pair) -> None:
    outcome = prove(pair, bodies=-1)
    assert [one for one in outcome.differences if one.known is None] == []
    assert outcome.proof.verdict == "equal"
    assert outcome.proof.items > 1000
    assert outcome.proof.bodies_read == outcome.proof.bodies > 400


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_of_a_real_clone_is_found_and_named(pair: Pair, part: int) -> None:
    todo = mutants(pair.green_store, DOMAIN)
    assert len(todo) >= 200
    missed: list[str] = []
    for mutant in todo[part::PARTS]:
        with mutated(pair.green_store, mutant):
            scope = Scope(users=frozenset({mutant.owner}))
            outcome = prove(pair, scope=scope, barrier=lambda: None, store=EveryBody())
        named = {(one.type, one.item) for one in outcome.differences if one.known is None}
        if (mutant.type, mutant.item) not in named or outcome.proof.verdict != "different":
            missed.append(f"{mutant.name}: {mutant.type} {mutant.item}, named {sorted(named)[:3]}")
    assert missed == []


def test_nothing_is_left_of_the_mutants(pair: Pair) -> None:
    assert prove(pair, barrier=lambda: None).proof.verdict == "equal"


@pytest.mark.parametrize("how", ["missing", "changed", "cut", "raw"])
def test_a_body_that_is_not_what_its_name_says_is_found(pair: Pair, how: str) -> None:
    server = pair.bucket
    client = Minio(
        server.endpoint.removeprefix("http://"),
        server.access_key,
        server.secret_key,
        secure=False,
        region="us-east-1",
    )
    guid = sorted(
        one.object_name or ""
        for one in client.list_objects(server.bucket)
        if len(one.object_name or "") == 40
    )[7]
    answer = client.get_object(server.bucket, guid)
    kept = answer.read()
    answer.close()
    answer.release_conn()
    client.remove_object(server.bucket, guid)
    other = {"changed": zstandard.compress(b"other"), "cut": kept[:-9], "raw": b"Subject: x\r\n\r\n"}.get(how)
    if other is not None:
        client.put_object(server.bucket, guid, io.BytesIO(other), len(other))
    try:
        outcome = prove(pair, scope=Scope(dimensions=frozenset({"bodies"})), bodies=-1, barrier=lambda: None)
    finally:
        client.put_object(server.bucket, guid, io.BytesIO(kept), len(kept))
    assert {one.item for one in outcome.differences} == {guid}
