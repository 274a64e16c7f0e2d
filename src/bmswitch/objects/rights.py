"""The right to write to the bucket: a canary that shows whether a key has it, and two ways to withdraw it and give it back.

A policy that is stored is not a policy in force: MinIO keeps a bucket policy that denies a key and lets that key write
(measured). So what decides is always the canary, put with the very key in question (traffic-and-objects.md C 14, C 16).
"""

import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException, S3Error
from urllib3.exceptions import HTTPError

from bmswitch.model.errors import AccessError, UnknownError
from bmswitch.objects.connect import client, pool, told

_FAILURES = (MinioException, HTTPError, OSError)
_NO_POLICY = "NoSuchBucketPolicy"
_WRITES = ["s3:PutObject", "s3:DeleteObject"]


class Store:
    """Where the bucket is, and as whom one comes. `timeout` (seconds) bounds each request; none is sent twice."""

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access: str,
        secret: str,
        *,
        region: str = "us-east-1",
        verify: bool | str = True,
        timeout: float = 2.0,
    ) -> None:
        self.bucket = bucket
        self.place = f"bucket {bucket} at {endpoint}"
        self._url = urlsplit(endpoint)
        self._region = region
        self._keys = (access, secret)
        self._pool = pool(secure=self._url.scheme == "https", verify=verify, timeout=timeout, retries=0)

    def s3(self) -> Minio:
        """A client of the S3 API."""
        return client(self._url, *self._keys, self._region, self._pool)

    def admin(self) -> MinioAdmin:
        """A client of MinIO's administration API."""
        return MinioAdmin(
            endpoint=self._url.netloc,
            credentials=StaticProvider(*self._keys),
            secure=self._url.scheme == "https",
            region=self._region,
            http_client=self._pool,
        )

    def close(self) -> None:
        """Frees the sockets."""
        self._pool.clear()

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """The library's errors as ours."""
        try:
            yield
        except MinioAdminException as error:
            status = error._code  # noqa: SLF001 - the library has no other name for it
            raise UnknownError(f"{self.place}: could not {what}", evidence=f"status {status}") from error
        except _FAILURES as error:
            raise told(self.place, what, error) from error


class Way(Protocol):
    """One way to withdraw the right. `permit` is asked right before each change and raises when it must not happen."""

    def before(self) -> str:
        """What is there now, in a form that `give_back` understands."""

    def withdraw(self, permit: Callable[[], None]) -> None:
        """Denies to put and delete; read back. Can be repeated."""

    def give_back(self, before: str, permit: Callable[[], None]) -> None:
        """As it was `before`; what somebody else has changed since stays. Can be repeated."""


def may_write(store: Store) -> bool:
    """A canary is put, looked at and deleted with the store's key. False when the key is refused, for whatever reason.

    Raises UnreachableError or UnknownError when that can not be found out.
    """
    name, s3 = f"bmswitch-canary-{uuid.uuid4().hex}", store.s3()
    try:
        with store.explained("put a canary"):
            s3.put_object(store.bucket, name, io.BytesIO(b"canary"), 6)
            s3.stat_object(store.bucket, name)
            s3.remove_object(store.bucket, name)
    except AccessError:
        return False
    return True


def may_delete(store: Store) -> bool:
    """Whether the store's key may delete: asked with a name that is not there."""
    try:
        with store.explained("delete a canary"):
            store.s3().remove_object(store.bucket, f"bmswitch-canary-{uuid.uuid4().hex}")
    except AccessError:
        return False
    return True


class InBucketPolicy:
    """A statement of our own in the bucket's policy."""

    def __init__(self, store: Store, principal: str, side: str) -> None:
        self._store = store
        self._sid = f"BmswitchDeny{side.capitalize()}"
        self._statement = {
            "Sid": self._sid,
            "Effect": "Deny",
            "Principal": {"AWS": [principal]},
            "Action": _WRITES,
            "Resource": [f"arn:aws:s3:::{store.bucket}/*"],
        }

    def before(self) -> str:
        """The policy's own text, empty when there is none."""
        try:
            return str(self._store.s3().get_bucket_policy(self._store.bucket))
        except S3Error as error:
            if error.code == _NO_POLICY:
                return ""
            raise told(self._store.place, "read the bucket's policy", error) from error
        except _FAILURES as error:
            raise told(self._store.place, "read the bucket's policy", error) from error

    def withdraw(self, permit: Callable[[], None]) -> None:
        """Our statement is added to those that are there."""
        now = self._parsed(self.before())
        statements = [*self._others(now), self._statement]
        self._put(json.dumps({"Version": "2012-10-17", **now, "Statement": statements}), permit)
        if not self._is_there():
            raise UnknownError(f"{self._store.place} does not keep our statement", evidence=self._sid)

    def give_back(self, before: str, permit: Callable[[], None]) -> None:
        """The text from before, unless others changed theirs: then only our statement goes."""
        now = self._parsed(self.before())
        if len(self._others(now)) == len(_statements(now)):
            return
        others = self._others(now)
        same = others == self._others(self._parsed(before))
        text = before if same else json.dumps({**now, "Statement": others})
        self._put(text if others else "", permit)
        if self._is_there():
            raise UnknownError(f"{self._store.place} still keeps our statement", evidence=self._sid)

    def _is_there(self) -> bool:
        now = self._parsed(self.before())
        return len(self._others(now)) != len(_statements(now))

    def _others(self, policy: dict[str, Any]) -> list[Any]:
        """Statements that are not ours: a store may drop a Sid, so ours is also known by what it says."""
        return [one for one in _statements(policy) if one.get("Sid") != self._sid and not self._ours(one)]

    def _ours(self, statement: dict[str, Any]) -> bool:
        return all(
            _listed(statement.get(key)) == _listed(self._statement[key])
            for key in ("Effect", "Principal", "Action", "Resource")
        )

    def _put(self, text: str, permit: Callable[[], None]) -> None:
        permit()
        with self._store.explained("change the bucket's policy"):
            if text:
                self._store.s3().set_bucket_policy(self._store.bucket, text)
            else:
                self._store.s3().delete_bucket_policy(self._store.bucket)

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            policy = json.loads(text or "{}")
        except ValueError as error:
            raise UnknownError(f"{self._store.place} has a policy that is no JSON") from error
        return policy if isinstance(policy, dict) else {}


def _statements(policy: dict[str, Any]) -> list[Any]:
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _listed(value: object) -> object:
    """One form for what S3 lets be written in several: a lone string, a list in any order."""
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return sorted(value) if isinstance(value, list) else [value]


class OnMinioUser:
    """A policy of our own, attached to the user beside those that it has."""

    def __init__(self, store: Store, user: str, side: str) -> None:
        self._store = store
        self._user = user
        self._name = f"bmswitch-deny-{side}-{store.bucket}"

    def before(self) -> str:
        """The names of the policies that the user has, without ours."""
        return ",".join(self._attached() - {self._name})

    def withdraw(self, permit: Callable[[], None]) -> None:
        """The policy is made, attached and read back."""
        resource = [f"arn:aws:s3:::{self._store.bucket}/*"]
        deny = {"Effect": "Deny", "Action": _WRITES, "Resource": resource}
        if self._name in self._attached():
            return
        permit()
        with self._store.explained("make and attach a policy"):
            admin = self._store.admin()
            admin.policy_add(self._name, policy={"Version": "2012-10-17", "Statement": [deny]})
            permit()
            admin.attach_policy([self._name], user=self._user)
        if self._name not in self._attached():
            raise UnknownError(f"{self._store.place}: our policy is not attached", evidence=self._user)

    def give_back(self, before: str, permit: Callable[[], None]) -> None:
        """Ours is detached and removed; all others are as they are."""
        del before
        if self._name not in self._attached():
            return
        permit()
        with self._store.explained("detach a policy"):
            admin = self._store.admin()
            admin.detach_policy([self._name], user=self._user)
            admin.policy_remove(self._name)
        if self._name in self._attached():
            raise UnknownError(f"{self._store.place}: our policy is still attached", evidence=self._user)

    def _attached(self) -> set[str]:
        with self._store.explained(f"read the policies of {self._user}"):
            told_ = json.loads(self._store.admin().user_info(self._user))
        return {name for name in str(told_.get("policyName", "")).split(",") if name}
