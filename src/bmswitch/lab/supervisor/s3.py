"""The bucket of mail bodies: rclone (embedded) or MinIO (real) on a folder of the lab."""

from pathlib import Path
from typing import Literal

from bmswitch.lab.supervisor import ports, programs
from bmswitch.lab.supervisor.layout import BUCKET, SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn
from bmswitch.model.errors import LabError

S3Kind = Literal["rclone", "minio"]
NAME = "s3"
READY = 15.0


def start(layout: Layout, kind: S3Kind, port: int, access: str, secret: str) -> Process:
    """Starts the server without waiting. The keys travel in the environment: arguments are visible to everybody."""
    ports.require_free(NAME, SHARED_ADDRESS, port)
    address = f"{SHARED_ADDRESS}:{port}"
    if kind == "rclone":
        return spawn(layout, NAME, rclone_command(layout.bucket, address), rclone_environment(access, secret))
    return spawn(layout, NAME, minio_command(layout.bucket, address), minio_environment(access, secret))


def rclone_command(folder: Path, address: str) -> list[str]:
    """Argument list of the embedded server.

    It remembers the folder's names, as it is the only writer. Told to forget them at once (`--dir-cache-time 0s`), each
    request reads the whole folder (measured with 1,500 objects: a put in 260 ms instead of 5 ms), and it is never idle.
    """
    quiet = ["--vfs-cache-mode", "off", "--dir-cache-time", "24h", "--config", "/dev/null"]
    return [programs.require("rclone"), "serve", "s3", str(folder), "--addr", address, *quiet]


def rclone_environment(access: str, secret: str) -> dict[str, str]:
    """Its keys: one field of a CSV line, as rclone wants a list of them."""
    return {"RCLONE_AUTH_KEY": f'"{access},{secret}"'}


def minio_command(folder: Path, address: str) -> list[str]:
    """Argument list of the real server."""
    return [programs.require("minio"), "server", "--quiet", "--address", address, str(folder)]


def minio_environment(access: str, secret: str) -> dict[str, str]:
    """Its keys; the browser console and the search for updates are off."""
    off = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_CALLHOME_ENABLE": "off"}
    return {"MINIO_ROOT_USER": access, "MINIO_ROOT_PASSWORD": secret} | off


def finish(layout: Layout, process: Process, port: int, access: str, secret: str) -> None:
    """Waits until it answers and creates the bucket if it is not there."""
    await_ready(layout, process, lambda: bucket_ready(f"{SHARED_ADDRESS}:{port}", access, secret), READY)


def bucket_ready(endpoint: str, access: str, secret: str, bucket: str = BUCKET) -> bool:
    """Creates the bucket if needed; False while the server is not up yet. LabError when it refuses our keys."""
    if not ports.accepts(*_split(endpoint)):
        return False
    import urllib3  # noqa: PLC0415 -- slow import, start only
    from minio import Minio  # noqa: PLC0415 -- the same
    from minio.error import InvalidResponseError, S3Error, ServerError  # noqa: PLC0415 -- the same

    pool = urllib3.PoolManager(timeout=urllib3.Timeout(3.0), retries=False)
    client = Minio(
        endpoint, access_key=access, secret_key=secret, secure=False, region="us-east-1", http_client=pool
    )
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    except S3Error as error:
        if error.code in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            return True
        if error.code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
            raise LabError("the bucket's server refuses the lab's keys", evidence=str(error.code)) from error
        return False
    except (InvalidResponseError, ServerError, urllib3.exceptions.HTTPError):
        return False
    finally:
        pool.clear()
    return True


def _split(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    return host, int(port)
