"""Folders and mail records: what needs more than the table says (uid rules, UIDVALIDITY, UIDNEXT)."""

import asyncio
from collections.abc import Iterable

import msgspec

from bmswitch.bluemind.bulk import ApiError, Bulk
from bmswitch.model.differences import Difference
from bmswitch.model.digest import Print
from bmswitch.parity.read import fill

RECORDS_PREFIX = "mbox_records_"
UID_VALIDITY = "uidValidity"
UID_NEXT = "lastUid"

UID_VALIDITY_REASON = "green gives its own UIDVALIDITY to folders that blue logged with a CREATE record only (clone-and-api.md 3.4)"


def folder_of(container: str) -> str:
    """The folder uid of a container of mail records."""
    return container.removeprefix(RECORDS_PREFIX)


def uid_next_is_safe(blue: Print, green: Print) -> bool:
    """True when the two folders differ by nothing but a UIDNEXT that is ahead on green.

    What matters is that no IMAP UID can be given twice (traffic-and-objects.md A9).
    """
    mine, theirs = dict(blue.signals), dict(green.signals)
    before, after = mine.pop(UID_NEXT, None), theirs.pop(UID_NEXT, None)
    if mine != theirs or blue.digest != green.digest:
        return False
    return isinstance(before, int) and isinstance(after, int) and after >= before


async def know_uid_validity(green: Bulk, found: Iterable[Difference]) -> list[Difference]:
    """The differences, with the reason where UIDVALIDITY is green's id of the folder's container, as a clone forces it.

    Any other UIDVALIDITY has no such reason and stays unexplained.
    """

    async def one(difference: Difference) -> Difference:
        if difference.what != UID_VALIDITY or difference.green is None:
            return difference
        if difference.green != await _container_id(green, RECORDS_PREFIX + difference.item):
            return difference
        return msgspec.structs.replace(difference, known=UID_VALIDITY_REASON)

    return list(await asyncio.gather(*(one(difference) for difference in found)))


async def _container_id(green: Bulk, container: str) -> str | None:
    try:
        answer = await green.get(fill("/api/containers/_manage/{container}/_descriptor", container=container))
    except ApiError:
        return None
    return str(answer.get("internalId")) if isinstance(answer, dict) else None
