"""The object store of mail bodies: key = SHA-1 of the plain mail, one zstd frame (change-log.md 7.2, traffic B2-B5)."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import zstandard
from minio import Minio
from minio.error import S3Error

from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.site import S3
from bmswitch.model.errors import LabError

_LEVEL = -3  # B3: level -3, no stored content size
_STREAMS = 8  # B4
_LARGEST = 100_000_000


def guid_of(raw: bytes) -> str:
    """Name of a body: lower-case hexadecimal SHA-1 of the plain mail."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def compress(raw: bytes) -> bytes:
    """One zstd frame as BlueMind writes it."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_content_size=False).compress(raw)


def decompress(stored: bytes) -> bytes:
    """The plain mail of a stored frame."""
    return zstandard.ZstdDecompressor().decompress(stored, max_output_size=_LARGEST)


class Bodies(Protocol):
    """Where bodies lie."""

    async def put(self, guid: str, raw: bytes) -> bool:
        """Store a body unless it is there; says whether it was written."""

    async def get(self, guid: str) -> bytes:
        """The plain mail. NotFound when there is no such object."""

    def close(self) -> None:
        """Free threads."""


class MemoryBodies:
    """Bodies in memory: for tests and for a site without bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, guid: str, raw: bytes) -> bool:
        """Store a body unless it is there."""
        if guid in self.objects:
            return False
        self.objects[guid] = compress(raw)
        return True

    async def get(self, guid: str) -> bytes:
        """The plain mail."""
        if guid not in self.objects:
            raise NotFound(f"body {guid} not found")
        return decompress(self.objects[guid])

    def close(self) -> None:
        """Nothing to free."""


class BucketBodies:
    """Bodies in the shared bucket: HEAD first, PUT when absent; any error of HEAD counts as absent (B4)."""

    def __init__(self, s3: S3) -> None:
        parts = urlsplit(s3.endpoint)
        self._client = Minio(
            parts.netloc,
            access_key=_line(s3.access_key_file),
            secret_key=_line(s3.secret_key_file),
            secure=parts.scheme == "https",
            region=s3.region,
        )
        self._bucket = s3.bucket
        self._pool = ThreadPoolExecutor(_STREAMS, thread_name_prefix="bodies")

    async def put(self, guid: str, raw: bytes) -> bool:
        """Store a body unless it is there."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._put, guid, raw)

    async def get(self, guid: str) -> bytes:
        """The plain mail."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._get, guid)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _put(self, guid: str, raw: bytes) -> bool:
        try:
            self._client.stat_object(self._bucket, guid)
        except S3Error:
            stored = compress(raw)
            self._client.put_object(self._bucket, guid, BytesIO(stored), len(stored))
            return True
        return False

    def _get(self, guid: str) -> bytes:
        try:
            answer = self._client.get_object(self._bucket, guid)
        except S3Error as error:
            raise NotFound(f"body {guid} not found: {error.code}") from error
        try:
            return decompress(answer.read())
        finally:
            answer.close()
            answer.release_conn()


def open_bodies(s3: S3 | None) -> Bodies:
    """The bucket of a site, or memory when it has none."""
    return MemoryBodies() if s3 is None else BucketBodies(s3)


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise LabError(
            "a key of the object store can not be read", evidence=f"{path}: {error.strerror}"
        ) from error
