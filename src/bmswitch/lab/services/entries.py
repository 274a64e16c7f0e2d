"""What a directory entry looks like in the log: entry, card and mailbox, derived from the value (pure)."""

import msgspec

from bmswitch.lab.services.cards import Basic, VCard, mail_property
from bmswitch.lab.services.shapes_directory import (
    DirEntry,
    DirEntryAndValue,
    Entry,
    ExternalUser,
    Group,
    Mailbox,
    Mailshare,
    OrgUnit,
    OrgUnitPath,
    Resource,
    User,
)

KINDS: dict[str, type[Entry]] = {
    "USER": User,
    "GROUP": Group,
    "MAILSHARE": Mailshare,
    "RESOURCE": Resource,
    "EXTERNALUSER": ExternalUser,
    "ORG_UNIT": OrgUnit,
}
FOLDERS = {
    "USER": "users",
    "GROUP": "groups",
    "MAILSHARE": "mailshares",
    "RESOURCE": "resources",
    "EXTERNALUSER": "externaluser",
    "ORG_UNIT": "ous",
}

_replace = msgspec.structs.replace


def normalised(value: Entry, domain: str, server: str) -> Entry:
    """The value as BlueMind stores it: a user's card has a formatted name, the entry lies on the server."""
    if isinstance(value, OrgUnit | ExternalUser):
        return value
    if value.data_location is None:
        value = _replace(value, data_location=server)
    if isinstance(value, User):
        value = _replace(value, contact_infos=_user_card(value, domain))
    return value


def display_name(value: Entry) -> str:
    """How the entry is shown."""
    match value:
        case User():
            return value.contact_infos.display_name or value.login
        case ExternalUser():
            return value.contact_infos.display_name or value.default_email or ""
        case Resource():
            return value.label
        case _:
            return value.name


def payload(
    uid: str,
    domain: str,
    kind: str,
    value: Entry,
    *,
    org_unit: OrgUnitPath | None = None,
    created: bool = True,
) -> DirEntryAndValue:
    """The whole record payload of an entry. An updated org unit has another path and no chain, as in the real log."""
    return DirEntryAndValue(
        entry=_entry(
            uid, domain, kind, value, org_unit if created or kind != "ORG_UNIT" else None, created=created
        ),
        vcard=_card(uid, domain, kind, value),
        mailbox=_mailbox(uid, value),
        value=msgspec.Raw(msgspec.json.encode(value)),
    )


def _entry(
    uid: str, domain: str, kind: str, value: Entry, path: OrgUnitPath | None, *, created: bool
) -> DirEntry:
    folder = FOLDERS[kind] if created or kind != "ORG_UNIT" else "ou"
    if isinstance(value, OrgUnit):
        return DirEntry(
            display_name=value.name, entry_uid=uid, kind=kind, path=f"{domain}/{folder}/{uid}",
            org_unit_uid=value.parent_uid, org_unit_path=path,
        )  # fmt: skip
    return DirEntry(
        display_name=display_name(value), entry_uid=uid, kind=kind, path=f"{domain}/{folder}/{uid}",
        account_type=value.account_type if isinstance(value, User) else None, email=value.default_email,
        hidden=value.hidden, system=value.system, archived=value.archived, org_unit_uid=value.org_unit_uid,
        org_unit_path=path, data_location=value.data_location,
    )  # fmt: skip


def _card(uid: str, domain: str, kind: str, value: Entry) -> VCard | None:
    source = f"bm://{domain}/{FOLDERS[kind]}/{uid}"
    match value:
        case OrgUnit():
            return None
        case User() | ExternalUser():
            return _replace(value.contact_infos, source=source)
        case Mailshare():
            return _replace(_named(value.card, value.name, value.default_email), source=source)
        case _:
            name = display_name(value)
            card = _named(VCard(kind="group" if kind == "GROUP" else "individual"), name, value.default_email)
            return _replace(card, source=source)


def _named(card: VCard, name: str, mail: str | None) -> VCard:
    identification = _replace(card.identification, formated_name=Basic(value=name))
    mails = [mail_property(mail)] if mail else []
    return _replace(
        card, identification=identification, communications=_replace(card.communications, emails=mails)
    )


def _user_card(user: User, domain: str) -> VCard:
    card = user.contact_infos
    identification = card.identification
    name = identification.name
    if identification.formated_name.value is None:
        parts = [part for part in (name.given_names, name.family_names) if part]
        identification = _replace(identification, formated_name=Basic(value=" ".join(parts) or user.login))
    mail = user.default_email or f"{user.login}@{domain}"
    communications = _replace(card.communications, emails=[mail_property(mail)])
    return _replace(card, identification=identification, communications=communications)


def _mailbox(uid: str, value: Entry) -> Mailbox | None:
    match value:
        case User():
            return Mailbox(
                name=value.login, system=value.system, hidden=value.hidden, archived=value.archived, type="user",
                routing=value.routing, emails=value.emails, data_location=value.data_location, quota=value.quota,
            )  # fmt: skip
        case Mailshare():
            return Mailbox(
                name=value.name, system=value.system, hidden=value.hidden, archived=value.archived, type="mailshare",
                routing=value.routing, emails=value.emails, data_location=value.data_location, quota=value.quota,
            )  # fmt: skip
        case Group():
            return Mailbox(
                name=f"_{value.name}", system=value.system, hidden=value.hidden, type="group",
                routing="internal" if value.emails else "none", emails=value.emails, data_location=value.data_location,
            )  # fmt: skip
        case Resource():
            return Mailbox(
                name=uid.lower(), system=True, hidden=True, type="resource", emails=value.emails,
                data_location=value.data_location,
            )  # fmt: skip
        case _:
            return None


def path_of(kind: str, domain: str, uid: str) -> str:
    """Path of an entry in its domain."""
    return f"{domain}/{FOLDERS[kind]}/{uid}"
