"""Clients of the object store: connections with deadlines, and its errors in our own words."""

import ssl
from urllib.parse import SplitResult

import urllib3
from minio import Minio
from minio.error import S3Error

from bmswitch.model.errors import AccessError, BmswitchError, UnknownError, UnreachableError

DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"})
PARALLEL = 16
"""Connections that are kept."""


def client(url: SplitResult, access: str, secret: str, region: str, http: urllib3.PoolManager) -> Minio:
    """A client of the store at `url`."""
    return Minio(
        endpoint=url.netloc,
        access_key=access,
        secret_key=secret,
        secure=url.scheme == "https",
        region=region,
        http_client=http,
    )


def told(place: str, what: str, error: Exception) -> BmswitchError:
    """The error an operator sees; never the library's own text, which can carry a signed address."""
    if isinstance(error, S3Error):
        if error.code in DENIED:
            return AccessError(f"{place} refuses our keys", evidence=f"{what}: {error.code}")
        return UnknownError(f"{place} can not be read", evidence=f"{what}: {error.code}")
    return UnreachableError(f"{place} does not answer", evidence=f"{what}: {type(error).__name__}")


def pool(*, secure: bool, verify: bool | str, timeout: float, retries: int = 2) -> urllib3.PoolManager:
    """Connections with deadlines; minio's own default waits five minutes.

    `retries` is 0 for what changes something: a request that is sent again could arrive after its answer was given up.
    """
    context = None
    if secure:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=min(3.0, timeout), read=timeout),
        maxsize=PARALLEL,
        retries=urllib3.Retry(total=retries, backoff_factor=0.1, status_forcelist=[502, 503, 504]),
        ssl_context=context,
    )
