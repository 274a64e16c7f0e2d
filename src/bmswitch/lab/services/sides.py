"""Things that are no items but are logged: filters, identities, roles, accounts, resource types, settings, jobs."""

import msgspec

from bmswitch.lab.services.context import Context
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.shapes import SIDE_CLASSES
from bmswitch.lab.services.shapes_directory import MailboxMailFilter, MailFilter, Roles
from bmswitch.lab.store import Side

_encode = msgspec.json.encode


class Sides:
    """Writes side data; not fenced by read-only mode, as in BlueMind (clone-and-api.md 2.1)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def put(
        self, type_: str, domain: str, owner: str, uid: str, value: bytes, *, always_create: bool = False
    ) -> None:
        """Store and log; CREATE at first (or always, as roles are), UPDATE with only `updated` afterwards."""
        context = self._context
        now = context.now()
        old = context.store.side(type_, owner, uid)
        created = now if old is None or always_create else None
        side = Side(
            type=type_, owner=owner, uid=uid, domain=domain, value=value, value_class=SIDE_CLASSES[type_],
            created=now if old is None else old.created, updated=now,
        )  # fmt: skip
        with context.write(fenced=False):
            context.store.put_side(side)
            context.log_side(
                type_, domain, owner, uid, value, value_class=SIDE_CLASSES[type_],
                created=created, updated=None if created else now,
            )  # fmt: skip

    def get(self, type_: str, owner: str, uid: str) -> bytes:
        """A value that must be there."""
        found = self._context.store.side(type_, owner, uid)
        if found is None:
            raise NotFound(f"{type_} {uid} of {owner} not found")
        return found.value

    def delete(self, type_: str, owner: str, uid: str) -> None:
        """Remove and log."""
        context = self._context
        found = context.store.side(type_, owner, uid)
        if found is None:
            raise NotFound(f"{type_} {uid} of {owner} not found")
        with context.write(fenced=False):
            context.store.delete_side(type_, owner, uid)
            context.log_side_delete(type_, found.domain, owner, uid, SIDE_CLASSES[type_])

    def set_filter(self, domain: str, mailbox: str, mail_filter: MailFilter) -> None:
        """Replace the rules of a mailbox (always CREATE) or of the domain (UPDATE)."""
        is_domain = mailbox == domain
        value = _encode(MailboxMailFilter(uid=mailbox, is_domain=is_domain, filter=mail_filter))
        self.put("mailfilters", domain, mailbox, mailbox, value, always_create=not is_domain)

    def filter(self, mailbox: str) -> MailFilter:
        """The rules of a mailbox; empty ones when nothing was ever set."""
        found = self._context.store.side("mailfilters", mailbox, mailbox)
        return (
            MailFilter() if found is None else msgspec.json.decode(found.value, type=MailboxMailFilter).filter
        )

    def set_roles(self, domain: str, uid: str, kind: str, roles: list[str]) -> None:
        """Replace the roles of an entry (always CREATE)."""
        self.put("role", domain, uid, uid, _encode(Roles(kind=kind, roles=roles)), always_create=True)

    def roles(self, uid: str) -> list[str]:
        """Roles of an entry."""
        found = self._context.store.side("role", uid, uid)
        return [] if found is None else msgspec.json.decode(found.value, type=Roles).roles
