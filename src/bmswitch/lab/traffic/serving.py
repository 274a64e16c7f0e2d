"""What the serving installation really holds of the objects that a ledger names."""

from collections import defaultdict
from typing import TypeVar

import aiohttp
import msgspec

from bmswitch.lab.traffic.http_client import Answer
from bmswitch.lab.traffic.people import Kind
from bmswitch.lab.traffic.shapes import chunks, container_path, content_of, load_id_of, quoted
from bmswitch.model.errors import AccessError, UnknownError, UnreachableError

T = TypeVar("T")

_CHUNK = 200


class _Descriptor(msgspec.Struct):
    uid: str


class _ItemValue(msgspec.Struct):
    uid: str
    value: msgspec.Raw


class _Replica(msgspec.Struct, rename="camel"):
    full_name: str
    data_location: str | None = None
    deleted: bool = False


class _Folder(msgspec.Struct):
    uid: str
    value: _Replica


class _Record(msgspec.Struct, rename="camel"):
    message_body: str
    flags: list[str] = []
    internal_flags: list[str] = []


class _RecordItem(msgspec.Struct):
    value: _Record


class _Body(msgspec.Struct, rename="camel"):
    guid: str
    message_id: str | None = None


class State:
    """Found states by object: `present:<write id>` for items; `once` and `flags:...` for each copy of a mail."""

    def __init__(self) -> None:
        self._presence: dict[str, list[str]] = defaultdict(list)
        self._flags: dict[str, list[str]] = defaultdict(list)

    def add(self, name: str, presence: str) -> None:
        """One copy of an object."""
        self._presence[name].append(presence)

    def add_mail(self, name: str, flags: list[str]) -> None:
        """One copy of a mail."""
        self._presence[name].append("once")
        self._flags[name].append("flags:" + " ".join(sorted(flags)))

    def seen(self, name: str, *, flags: bool) -> list[str]:
        """What was found, one entry per copy."""
        return list((self._flags if flags else self._presence).get(name, []))

    def merge(self, other: "State") -> None:
        """Take over what another place holds."""
        self._presence.update(other._presence)  # noqa: SLF001 - the same class
        self._flags.update(other._flags)  # noqa: SLF001 - the same class


class Serving:
    """Reads one installation in bulk. Errors: UnreachableError, AccessError, UnknownError."""

    def __init__(self, session: aiohttp.ClientSession, base: str, domain: str) -> None:
        self._session = session
        self._base = base
        self._domain = domain

    async def read(self, place: str, names: list[str]) -> State:
        """Everything in one container or mail folder; for items only the values of `names` are read."""
        first, second, *rest = place.split("/", 2)
        if first == "mail":
            return await self._mails(second, rest[0])
        kind: Kind = "calendars" if first == "calendars" else "addressbooks"
        return await self._items(kind, second, sorted({name.rpartition("/")[2] for name in names}))

    async def _items(self, kind: Kind, container: str, uids: list[str]) -> State:
        listed = await self._get(f"/api/containers/_manage/{quoted(container)}/_list", list[_Descriptor])
        copies: dict[str, int] = defaultdict(int)
        for descriptor in listed:
            copies[descriptor.uid] += 1
        state = State()
        for some in chunks([uid for uid in uids if uid in copies], _CHUNK):
            path = f"{container_path(kind, container)}/_mget"
            for item in await self._post(path, some, list[_ItemValue]):
                content = content_of(kind, item.value)
                for _ in range(copies.pop(item.uid, 1)):
                    state.add(f"{kind}/{container}/{item.uid}", f"present:{content}")
        return state

    async def _mails(self, user: str, folder_name: str) -> State:
        subtree = f"subtree_{self._domain.replace('.', '_')}!user.{user}"
        folders = await self._get(
            f"/internal-api/db_replicated_mailboxes_by_container/{quoted(subtree)}/_allReplicas",
            list[_Folder],
        )
        state = State()
        for folder in folders:
            if folder.value.full_name == folder_name and not folder.value.deleted:
                await self._folder(folder, f"mail/{user}/{folder_name}", state)
        return state

    async def _folder(self, folder: _Folder, place: str, state: State) -> None:
        path = f"/internal-api/db_mailbox_records/{quoted(folder.uid)}/_all"
        records = [item.value for item in await self._get(path, list[_RecordItem])]
        live = [record for record in records if "expunged" not in record.internal_flags]
        location = folder.value.data_location or "bm-master"
        partition = f"{location}__{self._domain}".replace(".", "_")
        load_ids: dict[str, str] = {}
        for some in chunks(sorted({record.message_body for record in live}), _CHUNK):
            path = f"/internal-api/db_message_bodies/{quoted(partition)}/_multiple"
            for body in await self._post(path, some, list[_Body]):
                load_ids[body.guid] = load_id_of(body.message_id or "")
        for record in live:
            load_id = load_ids.get(record.message_body, "")
            if load_id:
                state.add_mail(f"{place}/{load_id}", record.flags)

    async def _get(self, path: str, shape: type[T]) -> T:
        return self._decoded(await self._call("GET", path, None), path, shape)

    async def _post(self, path: str, body: list[str], shape: type[T]) -> T:
        return self._decoded(await self._call("POST", path, msgspec.json.encode(body)), path, shape)

    async def _call(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(
                method, self._base + path, data=body, headers=headers
            ) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"{self._base} does not answer", evidence=type(error).__name__) from error

    @staticmethod
    def _decoded(answer: Answer, path: str, shape: type[T]) -> T:
        if answer.status in (401, 403):
            raise AccessError("the admin token is refused", evidence=f"{path}: {answer.reason}")
        if not answer.ok:
            raise UnknownError("the serving side can not be read", evidence=f"{path}: {answer.reason}")
        try:
            return msgspec.json.decode(answer.body, type=shape)
        except msgspec.MsgspecError as error:
            raise UnknownError(
                "the serving side's answer is not understood", evidence=f"{path}: {error}"
            ) from error
