"""Members of groups: each change is a record of the member's, with a copy of the group (change-log.md 5.5, 6)."""

import msgspec

from bmswitch.lab.services.context import Context, side_container
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.shapes import SIDE_CLASSES
from bmswitch.lab.services.shapes_directory import DirEntryAndValue, Group, Member, Membership
from bmswitch.lab.store import DIR_ENTRY_CLASS, Item, Side
from bmswitch.model.records import Envelope

MEMBERSHIPS = "memberships"

_encode = msgspec.json.encode


class Groups:
    """Membership of one core."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def members(self, domain: str, group: str) -> list[Member]:
        """Members of a group."""
        self._group(domain, group)
        return [msgspec.json.decode(side.value, type=Member) for side in self._of(domain, group)]

    def add(self, domain: str, group: str, members: list[Member]) -> None:
        """Put members into a group; those that are in it stay."""
        self._group(domain, group)
        with self._context.write():
            for member in members:
                if self._context.store.item(domain, member.uid) is None and not self._context.state.cloning:
                    raise NotFound(f"member {member.uid} not found")
                if self._context.store.side(MEMBERSHIPS, member.uid, group) is None:
                    side = Side(
                        type=MEMBERSHIPS, owner=member.uid, uid=group, domain=domain, value=_encode(member),
                        value_class=SIDE_CLASSES[MEMBERSHIPS],
                    )  # fmt: skip
                    self._context.store.put_side(side)
                    self._log(domain, group, member, added=True)

    def remove(self, domain: str, group: str, members: list[Member]) -> None:
        """Take members out of a group; the record has the same key, with `added` false."""
        self._group(domain, group)
        with self._context.write():
            for member in members:
                if self._context.store.delete_side(MEMBERSHIPS, member.uid, group):
                    self._log(domain, group, member, added=False)

    def join_default(self, domain: str, uid: str) -> None:
        """A new user joins the domain's `user` group, if that is there."""
        group = f"{domain}_user_group"
        if self._context.store.item(domain, group) is not None:
            self.add(domain, group, [Member(type="user", uid=uid)])

    def left(self, domain: str, uid: str) -> None:
        """A deleted member leaves all groups."""
        for side in self._context.store.sides(MEMBERSHIPS, owner=uid):
            if side.domain == domain and self._context.store.item(domain, side.uid) is not None:
                self.remove(domain, side.uid, [msgspec.json.decode(side.value, type=Member)])

    def deleted(self, domain: str, group: str) -> None:
        """A deleted group: its members are forgotten, nothing is logged (change-log.md 10.32)."""
        for side in self._of(domain, group):
            self._context.store.delete_side(MEMBERSHIPS, side.owner, group)

    def _of(self, domain: str, group: str) -> list[Side]:
        return [side for side in self._context.store.sides(MEMBERSHIPS, uid=group) if side.domain == domain]

    def _group(self, domain: str, group: str) -> tuple[Item, Group]:
        item = self._context.store.item(domain, group)
        if item is None or item.value_class != DIR_ENTRY_CLASS:
            raise NotFound(f"group {group} not found")
        found = msgspec.json.decode(item.value, type=DirEntryAndValue)
        if found.entry.kind != "GROUP":
            raise NotFound(f"group {group} not found")
        return item, msgspec.json.decode(found.value, type=Group)

    def _log(self, domain: str, uid: str, member: Member, *, added: bool) -> None:
        """The group's item gets a new version and date without a record of its own; the membership carries them."""
        store = self._context.store
        item, group = self._group(domain, uid)
        item = msgspec.structs.replace(
            item,
            version=store.next_version(domain),
            updated=max(self._context.now(), (item.created or 0) + 1),
        )
        store.put_item(domain, item)
        group = msgspec.structs.replace(group, member_count=len(self._of(domain, uid)))
        envelope = Envelope(
            value=msgspec.Raw(_encode(Membership(member=member, group=group, added=added))),
            uid=uid,
            internal_id=item.id,
            version=item.version,
            display_name=item.display_name,
            external_id=item.external_id,
            created_by=item.created_by,
            updated_by=item.updated_by,
            created=item.created,
            updated=item.updated,
            produced_by=self._context.site.produced_by,
            value_class=SIDE_CLASSES[MEMBERSHIPS],
        )
        container = side_container(MEMBERSHIPS, member.uid, domain)
        self._context.log_as(domain, MEMBERSHIPS, member.uid, container, envelope)
