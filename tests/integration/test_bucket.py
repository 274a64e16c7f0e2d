"""The bucket on real S3 servers: presence, listing, content, refusals."""

import hashlib
import io
import secrets

import pytest
import zstandard
from minio import Minio
from tests.integration.parts import BucketServer

from bmswitch.model.errors import AccessError, UnknownError, UnreachableError
from bmswitch.objects import bucket as bucket_module
from bmswitch.objects.bucket import Bucket


def put(server: BucketServer, name: str, stored: bytes) -> None:
    client = Minio(
        endpoint=server.host, access_key=server.access_key, secret_key=server.secret_key, secure=False
    )
    client.put_object(
        bucket_name=server.bucket, object_name=name, data=io.BytesIO(stored), length=len(stored)
    )


def put_body(server: BucketServer, plain: bytes) -> str:
    guid = hashlib.sha1(plain, usedforsecurity=False).hexdigest()
    put(server, guid, zstandard.ZstdCompressor(level=-3).compress(plain))
    return guid


def opened(server: BucketServer, secret: str = "") -> Bucket:
    return Bucket(server.endpoint, server.bucket, server.access_key, secret or server.secret_key)


@pytest.mark.parametrize("list_from", [1, 1000])
def test_missing_bodies_are_found_by_asking_and_by_listing(
    bucket_server: BucketServer, list_from: int
) -> None:
    there = {put_body(bucket_server, secrets.token_bytes(50)) for _ in range(5)}
    put(bucket_server, "doc-fs-logo_installation", b"x")
    bucket = opened(bucket_server)
    bucket.check()
    absent = "0" * 40
    assert bucket.missing([*there, absent], list_from=list_from) == {absent}
    assert set(bucket.bodies()) == there
    bucket.close()


def test_content_is_what_the_name_says_or_not(
    bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = put_body(bucket_server, b"From: a\r\n\r\n" * 30_000)
    stored = zstandard.ZstdCompressor().compress(secrets.token_bytes(100_000))
    put(bucket_server, "1" * 40, stored)
    put(bucket_server, "2" * 40, stored[:-500])
    put(bucket_server, "3" * 40, b"this is no zstd frame")
    bucket = opened(bucket_server)
    assert bucket.verify_body(whole)
    assert not any(bucket.verify_body(digit * 40) for digit in "1234")
    monkeypatch.setattr(bucket_module, "MAX_BODY", 1000)
    assert not bucket.verify_body(whole)
    bucket.close()


def test_refused_keys_a_missing_bucket_and_a_dead_server_are_told_apart(bucket_server: BucketServer) -> None:
    refused = opened(bucket_server, secret="not-the-secret-key")
    with pytest.raises(AccessError) as caught:
        refused.check()
    assert "not-the-secret-key" not in caught.value.cause + caught.value.evidence
    refused.close()
    other = Bucket(bucket_server.endpoint, "another", bucket_server.access_key, bucket_server.secret_key)
    with pytest.raises((UnknownError, AccessError)):
        other.check()
    other.close()
    dead = Bucket("http://127.0.0.1:9", "bluemind", "a", "b", timeout=1)
    with pytest.raises(UnreachableError):
        dead.check()
    dead.close()
