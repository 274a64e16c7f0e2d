"""Containers themselves (`containers_meta`): descriptor, access control list, settings (clone-and-api.md 3.3)."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.restore.context import Context, Record, RestoreError
from bmswitch.lab.store import Ace, Container


class Descriptor(msgspec.Struct, rename="camel"):
    """`contDesc` of a ContainerMetadata; what is local to an installation is left out."""

    uid: str
    type: str
    owner: str
    name: str | None = None
    default_container: bool = False
    read_only: bool = False
    domain_uid: str | None = None
    datalocation: str | None = None


class Metadata(msgspec.Struct, rename="camel"):
    """A ContainerMetadata. Until March 2023 `containerUid` stood where `contDesc` is, with one half of the rest."""

    cont_desc: Descriptor | None = None
    container_uid: str | None = None
    acls: tuple[Ace, ...] | None = None
    settings: dict[str, str | None] | None = None


_metadata = msgspec.json.Decoder(Metadata)


def restore(context: Context, record: Record) -> None:
    """Create the container when it is missing, then set list and settings; a null half is left alone."""
    state = context.state
    if record.deleted:
        context.report("DELETE", record)
        if not context.drop_container(state.alias(record.uid)):
            context.reporter.log(f"WARN container {record.uid} can not be deleted: not found")
        return
    sent = _metadata.decode(record.sent.value)
    described = sent.cont_desc
    uid = state.alias(described.uid if described else sent.container_uid or record.uid)
    created = not context.has_container(uid)
    if created and described is None:
        raise RestoreError("metadata of a container that does not exist", evidence=f"{record.place} {uid}")
    if created and described is not None:
        context.add_container(_container(context, uid, described))
    context.report("CREATE" if created else "UPDATE", record)
    acls = sent.acls and tuple(Ace(state.alias(ace.subject), ace.verb) for ace in sent.acls)
    settings = None
    if sent.settings is not None:
        settings = {key: value for key, value in sent.settings.items() if value is not None}
    context.store.update_container(uid, acls=acls, settings=settings)


def _container(context: Context, uid: str, described: Descriptor) -> Container:
    return Container(
        uid=uid,
        type=described.type,
        owner=context.state.alias(described.owner),
        domain=described.domain_uid or "",
        name=described.name or uid,
        default=described.default_container,
        read_only=described.read_only,
        data_location=described.datalocation,
    )


RESTORERS: dict[str, Callable[[Context, Record], None]] = {"containers_meta": restore}
