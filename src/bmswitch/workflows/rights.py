"""One side's rights to write to the bucket and to its Kafka: withdrawn, given back, and proven by the keys themselves.

What was there before is in `rights-COLOUR.json` of the run folder, on the disk before the first change, and stays there until it is
given back: a process that is killed in between leaves all that the next one needs.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bmswitch.files import replace_file, sync
from bmswitch.kafka.acls import Acls
from bmswitch.model.config import (
    Argv,
    BucketKey,
    BucketPolicy,
    Colour,
    Config,
    KafkaAcls,
    MinioPolicy,
    RightsCommand,
    other,
)
from bmswitch.model.errors import JournalError
from bmswitch.model.switch import Result
from bmswitch.objects.rights import InBucketPolicy, OnMinioUser, Store, Way, may_delete, may_write
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.effects_core import left
from bmswitch.workflows.sites import verification

Permit = Callable[[], None]
Run = Callable[[Argv, str, float], Result]
"""Runs one of the operator's commands: its kind, and the seconds that are left."""

_YES = Result(answer="yes")
_POLL = 0.02


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was there before the first change: the bucket's policy (or the user's policies), and whether the ACL was there."""

    bucket: str = ""
    kafka: bool = False


class SideRights:
    """The rights of one side. `permit` is asked right before each change and raises when this process may not act any more.

    Both `withdraw` and `give_back` can be repeated. Errors of the parts are raised as they are.
    """

    def __init__(
        self, config: Config, colour: Colour, installation_id: str, run: Run, permit: Permit
    ) -> None:
        self._config = config
        self._colour: Colour = colour
        self._iid = installation_id
        self._rights = config.site(colour).rights
        self._saved = Path(config.run_dir) / f"rights-{colour}.json"
        self._run = run
        self._permit = permit

    def withdraw(self, deadline: float) -> Result:
        """Nothing of this side can be written any more, and the other side still can. `deadline` is monotonic."""
        way, acls = self._way(), self._acls()
        if not self._saved.exists():
            there = Before(bucket=way.before() if way else "", kafka=acls.there() if acls else False)
            self._permit()
            self._save(there)
        done = self._command("revoke", deadline)
        if done.answer != "yes":
            return done
        if way is not None:
            way.withdraw(self._permit)
        if acls is not None:
            acls.withdraw(self._permit)
        return self._proven_withdrawn(deadline)

    def give_back(self, deadline: float) -> Result:
        """As it was before the first change."""
        before = self._load()
        way, acls = self._way(), self._acls()
        if before is not None and not self._rights.any:
            said = f"{self._saved} says that rights were withdrawn, and the configuration does not say how they are given back"
            return Result(answer="unknown", said=said)
        done = self._command("restore", deadline)
        if done.answer != "yes":
            return done
        if way is not None and before is not None:
            way.give_back(before.bucket, self._permit)
        if acls is not None and before is not None and not before.kafka:
            acls.give_back(self._permit)
        own = self._config.site(self._colour).bucket_key
        if (
            self._rights.bucket is not None
            and own is not None
            and not self._until(own, deadline, wanted=True)
        ):
            return Result(answer="unknown", said=f"{self._colour}'s own key is still refused by the bucket")
        self._permit()
        self._saved.unlink(missing_ok=True)
        sync(self._saved.parent)
        return _YES

    def _proven_withdrawn(self, deadline: float) -> Result:
        """The bucket refuses this side's key, and takes the other's: stored is not in force."""
        if self._rights.bucket is None:
            return _YES
        own, others = (self._config.site(side).bucket_key for side in (self._colour, other(self._colour)))
        if own is None and isinstance(self._rights.bucket, BucketPolicy):
            return Result(
                answer="unknown",
                said=f"no {self._colour}.bucket_key: it is not known whether the policy is applied",
            )
        if own is not None and not self._until(own, deadline, wanted=False):
            return Result(answer="no", said=f"the bucket still takes writes with {self._colour}'s own key")
        if others is not None and not self._until(others, deadline, wanted=True):
            return Result(answer="no", said=f"the bucket refuses {other(self._colour)}'s key as well")
        return _YES

    def _until(self, key: BucketKey, deadline: float, *, wanted: bool) -> bool:
        """Asks with a key until the bucket answers as wanted: a policy may take a moment to spread."""
        store = open_store(self._config, key)
        try:
            while True:
                if wanted == may_write(store) and wanted == may_delete(store):
                    return True
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_POLL)
        finally:
            store.close()

    def _command(self, name: str, deadline: float) -> Result:
        for part, rights in (("bucket", self._rights.bucket), ("kafka", self._rights.kafka)):
            if isinstance(rights, RightsCommand):
                self._permit()
                argv = rights.revoke if name == "revoke" else rights.restore
                done = self._run(argv, f"{part}-rights", left(deadline))
                if done.answer != "yes":
                    return done
        return _YES

    def _way(self) -> Way | None:
        bucket = self._rights.bucket
        if bucket is None or isinstance(bucket, RightsCommand):
            return None
        store = open_store(
            self._config, BucketKey(access_key=bucket.access_key, secret_key=bucket.secret_key)
        )
        if isinstance(bucket, MinioPolicy):
            return OnMinioUser(store, bucket.user, self._colour)
        return InBucketPolicy(store, bucket.principal, self._colour)

    def _acls(self) -> Acls | None:
        kafka = self._rights.kafka
        return (
            Acls(self._config.site(self._colour).kafka, kafka, self._iid)
            if isinstance(kafka, KafkaAcls)
            else None
        )

    def _save(self, before: Before) -> None:
        try:
            replace_file(self._saved, msgspec.json.encode(before) + b"\n")
        except OSError as error:
            raise JournalError(f"{self._saved} can not be written", evidence=str(error)) from error

    def _load(self) -> Before | None:
        try:
            return msgspec.json.decode(self._saved.read_bytes(), type=Before)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise JournalError(
                f"{self._saved} can not be read: what {self._colour} was allowed before is not known",
                evidence=str(error),
                next_command=f"give {self._colour} its rights back by hand, then remove this file",
            ) from error


def open_store(config: Config, key: BucketKey) -> Store:
    """The bucket with another key than the configured one."""
    bucket = config.bucket
    return Store(
        bucket.endpoint,
        bucket.name,
        read_secret(key.access_key),
        read_secret(key.secret_key),
        region=bucket.region,
        verify=verification(bucket.tls),
    )
