"""Makes the load users on the serving installation, before the load begins."""

import asyncio

import aiohttp
import msgspec

from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.http_client import Answer
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.shapes import quoted, user_value
from bmswitch.model.errors import AccessError, LabError, UnreachableError

_READY_SECONDS = 20.0
_AT_ONCE = 4


class _Server(msgspec.Struct):
    tags: list[str] = []


class _ServerItem(msgspec.Struct):
    uid: str
    value: _Server


class _Login(msgspec.Struct):
    status: str = ""


async def prepare(config: TrafficConfig, people: list[Person], token: str) -> None:
    """Create each load user that is not there yet, set its password, wait for its calendar and contacts.

    Errors: UnreachableError, AccessError, LabError.
    """
    timeout = aiohttp.ClientTimeout(total=_READY_SECONDS)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(headers={"X-BM-ApiKey": token}, timeout=timeout) as session:
        admin = _Admin(session, config.core_url.rstrip("/"))
        location = await admin.mail_server()

        async def one(person: Person) -> None:
            async with gate:
                await admin.make(person, location)

        await asyncio.gather(*(one(person) for person in people))


class _Admin:
    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def mail_server(self) -> str:
        """Uid of the server that holds mailboxes."""
        answer = await self._call("GET", "/api/servers/default/_complete")
        self._must(answer, "the servers can not be listed")
        servers = msgspec.json.decode(answer.body, type=list[_ServerItem])
        named = [server.uid for server in servers if "mail/imap" in server.value.tags]
        return (named or [server.uid for server in servers] or ["bm-master"])[0]

    async def make(self, person: Person, location: str) -> None:
        """One user, ready to be used."""
        path = f"/api/users/{quoted(person.domain)}/{quoted(person.uid)}"
        answer = await self._call("PUT", path, user_value(person, location))
        if answer.code == "ALREADY_EXISTS":
            answer = await self._set_password(person, path)
        self._must(answer, f"load user {person.uid} can not be made")
        for container in (person.container("calendars"), person.container("addressbooks")):
            await self._await_container(container)

    async def _set_password(self, person: Person, path: str) -> Answer:
        """Set it only when it is another one: a change of password is not in the change log (clone-and-api.md 3.7)."""
        login = f"/api/auth/login?login={quoted(person.address)}&origin=load"
        answer = await self._call("POST", login, msgspec.json.encode(person.password))
        if answer.ok and msgspec.json.decode(answer.body, type=_Login).status == "Ok":
            return answer
        body = msgspec.json.encode({"currentPassword": "", "newPassword": person.password})
        return await self._call("POST", path + "/password_", body)

    async def _await_container(self, container: str) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_SECONDS
        path = f"/api/containers/_manage/{quoted(container)}/_itemCount"
        while not (answer := await self._call("GET", path)).ok:
            if asyncio.get_running_loop().time() > deadline:
                self._must(answer, f"container {container} does not appear")
            await asyncio.sleep(0.1)

    async def _call(self, method: str, path: str, body: bytes | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(
                method, self._base + path, data=body, headers=headers
            ) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"{self._base} does not answer", evidence=type(error).__name__) from error

    @staticmethod
    def _must(answer: Answer, cause: str) -> None:
        if answer.status in (401, 403):
            raise AccessError("the admin token is refused", evidence=answer.reason)
        if not answer.ok:
            raise LabError(cause, evidence=answer.reason)
