"""Administrators of org units (`ou-roles`): a record of the administrator's, with a copy of the unit."""

import msgspec

from bmswitch.lab.services.context import Context, side_container
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.shapes import SIDE_CLASSES
from bmswitch.lab.services.shapes_directory import DirEntryAndValue, OrgUnit, OrgUnitRoles
from bmswitch.lab.store import DIR_ENTRY_CLASS, Side
from bmswitch.model.records import Envelope

ROLES = "ou-roles"


class OrgUnits:
    """Roles on org units of one core; not fenced."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def set_roles(self, domain: str, uid: str, unit: OrgUnit, administrator: str, roles: list[str]) -> None:
        """Give an entry roles on a unit; the record carries the unit's item id, version and dates."""
        context = self._context
        item, admin = context.store.item(domain, uid), context.store.item(domain, administrator)
        if item is None or admin is None or admin.value_class != DIR_ENTRY_CLASS:
            raise NotFound(f"org unit {uid} or entry {administrator} not found")
        kind = msgspec.json.decode(admin.value, type=DirEntryAndValue).entry.kind
        value = msgspec.json.encode(
            OrgUnitRoles(kind=kind, roles=roles, dir_uid=administrator, org_unit=unit)
        )
        envelope = Envelope(
            value=msgspec.Raw(value),
            uid=uid,
            internal_id=item.id,
            version=item.version,
            display_name=item.display_name,
            external_id=item.external_id,
            created_by=item.created_by,
            updated_by=item.updated_by,
            created=item.created,
            updated=item.updated,
            produced_by=context.site.produced_by,
            value_class=SIDE_CLASSES[ROLES],
        )
        side = Side(
            type=ROLES,
            owner=administrator,
            uid=uid,
            domain=domain,
            value=value,
            value_class=SIDE_CLASSES[ROLES],
        )
        with context.write(fenced=False):
            context.store.put_side(side)
            context.log_as(
                domain, ROLES, administrator, side_container(ROLES, administrator, domain), envelope
            )
