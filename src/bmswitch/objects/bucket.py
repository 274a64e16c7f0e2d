"""The shared bucket of mail bodies, read only: presence, listing, content (change-log.md 7, traffic-and-objects.md B).

A body's key is the lower-case SHA-1 of its decompressed bytes; the object is one zstd frame that states neither size nor
checksum, so the only check of its content is to decompress and hash it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, cast
from urllib.parse import urlsplit

import msgspec
import zstandard
from minio.error import InvalidResponseError, MinioException, S3Error
from urllib3.exceptions import HTTPError

from bmswitch.model.errors import BmswitchError, UnknownError
from bmswitch.objects.connect import PARALLEL, client, pool, told
from bmswitch.objects.keeping import Keeping, keeping_of

_BODY_KEY = re.compile(r"^[0-9a-f]{40}$")
_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "NotFound", "ResourceNotFound"})
_CHUNK = 1 << 16
MAX_BODY = 512 * 1024 * 1024
"""Largest decompressed body, in bytes: a frame that grows beyond it is taken for damaged."""
LIST_FROM = 2000
"""From so many guids on, one listing is cheaper than a HEAD for each."""


class Measured(msgspec.Struct, frozen=True):
    """Bodies of a bucket: how many, their bytes as stored, and the names of some. -1: not counted."""

    bodies: int = -1
    bytes: int = -1
    sample: list[str] = []


class Bucket:
    """The bucket at `endpoint`. Thread-safe. `timeout` (seconds) bounds each request.

    Raises (every method):
        UnreachableError: no connection, or no answer in time.
        AccessError: keys refused.
        UnknownError: any other refusal.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        access: str,
        secret: str,
        region: str = "us-east-1",
        *,
        verify: bool | str = True,
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        url = urlsplit(endpoint)
        self._pool = pool(secure=url.scheme == "https", verify=verify, timeout=timeout)
        self._client = client(url, access, secret, region, self._pool)

    def close(self) -> None:
        """Frees the sockets."""
        self._pool.clear()

    def check(self) -> None:
        """Proves that the bucket is there and that our keys may list it."""
        try:
            there = self._client.bucket_exists(self.name)
            if there:
                next(iter(self._client.list_objects(self.name, recursive=True)), None)
        except (MinioException, HTTPError, OSError) as error:
            raise self._told("check", error) from error
        if not there:
            raise UnknownError(
                f"the bucket {self.name} does not exist",
                evidence=self._endpoint,
                next_command="compare bucket.name with blue's sysconf key sds_s3_bucket",
            )

    def bodies(self) -> Iterator[str]:
        """Guids of all bodies, in key order; documents (`doc-fs-*`, `sds-*`) are left out."""
        try:
            for found in self._client.list_objects(self.name, recursive=True):
                key = found.object_name
                if key is not None and _BODY_KEY.match(key):
                    yield key
        except (MinioException, HTTPError, OSError) as error:
            raise self._told("list", error) from error

    def measured(self, sample: int = 256) -> Measured:
        """Number and stored bytes of all bodies, and the names of some: names are hashes, so the first ones are as good as any."""
        bodies, size, some = 0, 0, list[str]()
        try:
            for found in self._client.list_objects(self.name, recursive=True):
                key = found.object_name
                if key is None or not _BODY_KEY.match(key):
                    continue
                bodies, size = bodies + 1, size + (found.size or 0)
                if len(some) < sample:
                    some.append(key)
        except (MinioException, HTTPError, OSError) as error:
            raise self._told("list", error) from error
        return Measured(bodies, size, some)

    def documents(self) -> int:
        """How many documents (`doc-fs-*`: photos, icons) there are (traffic-and-objects.md B2)."""
        try:
            return sum(1 for _ in self._client.list_objects(self.name, prefix="doc-fs-", recursive=True))
        except (MinioException, HTTPError, OSError) as error:
            raise self._told("list", error) from error

    def keeping(self) -> Keeping:
        """Whether the bucket keeps what is deleted. UnknownError when the server does not tell its settings."""
        try:
            status = self._client.get_bucket_versioning(self.name).status
            rules = self._client.get_bucket_lifecycle(self.name)
        except (MinioException, HTTPError, OSError, ValueError) as error:
            raise self._told("read the settings", error) from error
        return keeping_of(status or "Off", rules)

    def missing(self, guids: Iterable[str], *, list_from: int = LIST_FROM) -> set[str]:
        """Those of `guids` that are no object: by one HEAD each when few, by listing when many."""
        wanted = set(guids)
        if len(wanted) >= list_from:
            for guid in self.bodies():
                wanted.discard(guid)
            return wanted
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="head") as pool:
            ordered = sorted(wanted)
            return {
                guid for guid, there in zip(ordered, pool.map(self._there, ordered), strict=True) if not there
            }

    def verify_body(self, guid: str) -> bool:
        """True when the object's decompressed bytes have the SHA-1 that its name says; False when it is damaged or absent.

        Streaming: memory does not depend on the body's size.
        """
        answer = None
        try:
            answer = self._client.get_object(self.name, guid)
            return content_digest(cast("IO[bytes]", answer)) == guid
        except S3Error as error:
            if error.code in _ABSENT:
                return False
            raise self._told(f"get {guid}", error) from error
        except (MinioException, HTTPError, OSError) as error:
            # rclone answers `text/xml`, which the library does not take for an S3 error: ask by HEAD what it meant.
            if isinstance(error, InvalidResponseError) and not self._there(guid):
                return False
            raise self._told(f"get {guid}", error) from error
        finally:
            if answer is not None:
                answer.close()
                answer.release_conn()

    def _there(self, guid: str) -> bool:
        try:
            self._client.stat_object(self.name, guid)
        except S3Error as error:
            if error.code in _ABSENT:
                return False
            raise self._told(f"head {guid}", error) from error
        except (MinioException, HTTPError, OSError) as error:
            raise self._told(f"head {guid}", error) from error
        return True

    def _told(self, what: str, error: Exception) -> BmswitchError:
        """The error an operator sees; never the library's own text, which can carry a signed address."""
        return told(f"bucket {self.name} at {self._endpoint}", what, error)


def content_digest(source: IO[bytes]) -> str | None:
    """SHA-1 of the decompressed content; None when it is no zstd frame or grows beyond MAX_BODY.

    A frame that was cut gives fewer bytes, so another SHA-1.
    """
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(source) as plain:
            while chunk := plain.read(_CHUNK):
                size += len(chunk)
                if size > MAX_BODY:
                    return None
                digest.update(chunk)
    except zstandard.ZstdError:
        return None
    return digest.hexdigest()
