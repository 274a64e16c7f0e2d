"""The right of one principal to write to an installation's topics, withdrawn by an ACL (traffic-and-objects.md C 8).

Needs a broker with an authorizer. A DENY wins over every ALLOW, and reading stays possible.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from bmswitch.kafka.client import explained, settings
from bmswitch.model.config import Kafka, KafkaAcls
from bmswitch.model.errors import RefusedError, UnknownError
from bmswitch.model.topics import hex_id

_ANY_HOST = "*"


class Acls:
    """One DENY of WRITE on every topic whose name begins with the installation's id.

    Each call is bounded by `timeout` seconds and raises UnreachableError, AccessError (we may not alter ACLs) or UnknownError.
    """

    def __init__(self, kafka: Kafka, acls: KafkaAcls, installation_id: str, *, timeout: float = 2.0) -> None:
        self._kafka = msgspec.structs.replace(kafka, settings=kafka.settings | acls.settings)
        self._admin = AdminClient(settings(self._kafka))
        self._timeout = timeout
        self._principal = acls.principal
        self._what = (
            ResourceType.TOPIC,
            f"{hex_id(installation_id)}-",
            ResourcePatternType.PREFIXED,
            acls.principal,
            _ANY_HOST,
            AclOperation.WRITE,
            AclPermissionType.DENY,
        )

    def there(self) -> bool:
        """The ACL is in force, as the broker tells."""
        with explained(self._kafka):
            asked = self._admin.describe_acls(AclBindingFilter(*self._what), request_timeout=self._timeout)
            return bool(asked.result(self._timeout))

    def allowed(self) -> bool:
        """An ACL allows this very principal, or everybody, to write to these topics. A super user needs none: that is not told."""
        kind, prefix, _, _, _, _, _ = self._what
        anybody: Any = None  # as below
        wanted = AclBindingFilter(
            kind,
            f"{prefix}x",
            ResourcePatternType.MATCH,
            anybody,
            anybody,
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        with explained(self._kafka):
            told = self._admin.describe_acls(wanted, request_timeout=self._timeout).result(self._timeout)
        kind_of_all = f"{self._principal.partition(':')[0]}:*"
        return any(
            one.principal in (self._principal, kind_of_all)
            and one.operation in (AclOperation.WRITE, AclOperation.ALL)
            for one in told
        )

    def _allowed_by_acls(self) -> bool:
        """Somebody is allowed to write to a topic of this installation by an ACL, so that ACLs decide here."""
        kind, prefix, _, _, _, _, _ = self._what
        anybody: Any = None  # the library takes None for "whoever", and its types do not say so
        wanted = AclBindingFilter(
            kind,
            f"{prefix}x",
            ResourcePatternType.MATCH,
            anybody,
            anybody,
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        with explained(self._kafka):
            return bool(
                self._admin.describe_acls(wanted, request_timeout=self._timeout).result(self._timeout)
            )

    def withdraw(self, permit: Callable[[], None]) -> None:
        """Adds it and reads it back. Can be repeated."""
        if self.there():
            return
        if not self._allowed_by_acls():
            raise RefusedError(
                f"Kafka at {self._kafka.bootstrap} has no ACL that allows anybody to write to these topics",
                evidence="with allow.everyone.if.no.acl.found the first DENY shuts out everybody, the target too",
                next_command="give each principal its own ALLOW first, or withdraw by a command",
            )
        permit()
        with explained(self._kafka):
            for answer in self._admin.create_acls(
                [AclBinding(*self._what)], request_timeout=self._timeout
            ).values():
                answer.result(self._timeout)
        if not self.there():
            raise UnknownError(f"Kafka at {self._kafka.bootstrap} does not show the ACL that it took")

    def give_back(self, permit: Callable[[], None]) -> None:
        """Removes it and reads that back. Can be repeated."""
        if not self.there():
            return
        permit()
        with explained(self._kafka):
            for answer in self._admin.delete_acls(
                [AclBindingFilter(*self._what)], request_timeout=self._timeout
            ).values():
                answer.result(self._timeout)
        if self.there():
            raise UnknownError(f"Kafka at {self._kafka.bootstrap} still shows the ACL")
