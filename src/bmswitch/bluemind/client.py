"""Control of one installation over REST: state, clone, hand-over, tasks, probe entries (clone-and-api.md 1, 2, 4.5).

Synchronous and for few calls; bulk reads of the proof are in `bluemind.bulk`.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import msgspec

from bmswitch.bluemind.transport import AbsentError, ApiError, Transport, path, told
from bmswitch.bluemind.types import (
    CloneRequest,
    DirEntry,
    InstallationVersion,
    ItemValue,
    ListResult,
    LoginResponse,
    RawTaskStatus,
    Server,
    ServerValue,
    TaskRef,
    TaskStatus,
)
from bmswitch.model.barrier import new_nonce, probe_uids
from bmswitch.model.errors import AccessError, UnknownError

__all__ = ["CloneRequest", "Core", "InstallationVersion", "Server", "TaskStatus"]

GLOBAL_DOMAIN = "global.virt"
EVERY_ENTRY = {"hiddenFilter": False, "systemFilter": False, "stateFilter": "All", "size": -1}
"""A directory search that hides nothing (clone-and-api.md 5.3)."""
_INSTALLATION = "/api/system/installation"
_PARALLEL = 16
_LOG_LIMIT = 10_000
_STARTING = 60.0
"""Seconds for calls that work before they answer: a clone can wait 20 s for leadership (clone-and-api.md 1.4)."""


class Core:
    """One installation's core. Thread-safe; `timeout` (seconds) bounds each call with its retries.

    Args:
        url: `http://host:8090`, direct access: nginx hides the internal API.
        token: content of `/etc/bm/bm-core.tok`; never printed.
        verify: False, True, or the path of a CA file.
        name: `blue` or `green`, for messages.
        timeout: seconds per call.

    Raises (every method):
        UnreachableError: no connection, or no answer in time.
        AccessError: the key or its rights are refused.
        RefusedError: BlueMind refuses a write.
        UnknownError: a read is answered by a fault or by something not understood.
    """

    def __init__(
        self, url: str, token: str, *, verify: bool | str = True, name: str = "blue", timeout: float = 5.0
    ) -> None:
        self.url = url
        self.name = name
        self._http = Transport(url, token, verify=verify, name=name, timeout=timeout)

    def close(self) -> None:
        """Frees the sockets."""
        self._http.close()

    def state(self) -> str:
        """`CORE_STATE_RUNNING`, `CORE_STATE_CLONING`, ...; sent without a key, so that it answers before the installation has one."""
        return self._http.get(f"{_INSTALLATION}/state", str, anonymous=True)

    def version(self) -> InstallationVersion:
        """Versions of the running software and of its database.

        A core that is not installed yet refuses every key: its public information is read instead
        (clone-and-api.md 4.5; the database's version is not in it).
        """
        where = f"{_INSTALLATION}/version"
        try:
            return self._http.get(where, InstallationVersion)
        except AccessError as refused:
            for public in (f"{_INSTALLATION}/_infos", where):
                with contextlib.suppress(AccessError, UnknownError):
                    return self._http.get(public, InstallationVersion, anonymous=True)
            raise refused from None

    def check_token(self) -> None:
        """Proves that the key is accepted with administrator's rights; AccessError otherwise."""
        self.domains()

    def domains(self) -> list[str]:
        """Uids of the mail domains, `global.virt` left out, sorted."""
        found = self._http.get("/api/domains", list[ItemValue[msgspec.Raw]])
        return sorted(item.uid for item in found if item.uid != GLOBAL_DOMAIN)

    def entry_kinds(self, domain: str) -> list[str]:
        """The kind (`USER`, `GROUP`, ...) of every directory entry of a domain, hidden and archived ones too."""
        found = self._http.read(
            path("api", "directory", domain, "_search"), EVERY_ENTRY, ListResult[DirEntry]
        )
        return [item.value.kind for item in found.values]

    def servers(self) -> list[Server]:
        """The topology, by uid."""
        found = self._http.get("/api/servers/default/_complete", list[ItemValue[ServerValue]])
        return [
            Server(uid=s.uid, ip=s.value.ip or s.value.fqdn or "", name=s.value.name or "", tags=s.value.tags)
            for s in sorted(found, key=lambda s: s.uid)
        ]

    def republish_servers(self, *, timeout: float = 20.0) -> list[str]:
        """Writes each server as it is, so that the log names its address again, as a promotion does (clone-and-api.md 2.2); their uids.

        Raises UnknownError when a task does not end in time.
        """
        found = self._http.get("/api/servers/default/_complete", list[ItemValue[msgspec.Raw]])
        for item in found:
            where = path("api", "servers", "default", item.uid)
            raw = self._http.write("POST", where, item.value, repeatable=True)
            wait_task(self, _task_id(raw), timeout=timeout)
        return sorted(item.uid for item in found)

    def sysconf(self) -> dict[str, str]:
        """The system configuration, **secrets included**: print keys only."""
        return self._http.get("/api/configuration", _SystemConf).values

    def demote(self, *, timeout: float | None = None) -> None:
        """Asks the leader to step down; a one-way door (clone-and-api.md 2.5). Idempotent."""
        self._http.write("PUT", f"{_INSTALLATION}/state/_demote", timeout=timeout)

    def promote(self, *, timeout: float | None = None) -> None:
        """Makes a clone the leader. Read back afterwards: it can run without leadership (clone-and-api.md 2.3)."""
        self._http.write("PUT", f"{_INSTALLATION}/state/_promote", timeout=timeout)

    def initialize(self) -> str:
        """Creates schema, `global.virt` and admin0 on an empty installation; the task's id.

        Sent without a key: allowed while the core has none (clone-and-api.md 1.4).
        """
        where = f"{_INSTALLATION}/_initialize"
        try:
            raw = self._http.send("POST", where, anonymous=True, timeout=_STARTING)
        except ApiError as fault:
            raise told(self.name, f"POST {where}", fault, write=True) from fault
        return _task_id(raw)

    def clone(self, request: CloneRequest) -> str:
        """Starts the native clone; the task's id. Never send it to the leader (clone-and-api.md 0)."""
        return _task_id(self._http.write("POST", f"{_INSTALLATION}/_clone", request, timeout=_STARTING))

    def task(self, task_id: str) -> TaskStatus:
        """Where a task stands. An id that is not known any more means that the core restarted: the work is lost."""
        try:
            raw = self._http.get(path("api", "tasks", task_id), RawTaskStatus)
        except AbsentError as fault:
            raise UnknownError(
                f"{self.name} does not know task {task_id} any more",
                evidence=fault.evidence,
                consequence="the core restarted: the task's work is lost, not finished",
                next_command=f"look at {self.name}'s state and start the work again",
            ) from fault
        return TaskStatus(
            state=raw.state,
            message=self._http.redact(raw.last_log_entry or ""),
            steps=raw.steps or 0,
            progress=raw.progress or 0,
            result=self._http.redact(raw.result) if raw.result else None,
        )

    def task_logs(self, task_id: str, offset: int = 0) -> list[str]:
        """Log lines from `offset` on, without secrets; at most 10,000 lines."""
        where = path("api", "tasks", task_id, "_currentLogs")
        try:
            lines = self._http.get(where, list[str], params={"offset": str(offset)})
        except AbsentError:
            return []
        return [self._http.redact(line) for line in lines[:_LOG_LIMIT]]

    def login(self, login: str, password: str, *, origin: str = "bmswitch") -> str:
        """Opens a session; its key. AccessError when refused, although BlueMind answers 200 then."""
        raw = self._http.send("POST", "/api/auth/login", password, params={"login": login, "origin": origin})
        answer = msgspec.json.decode(raw, type=LoginResponse)
        if answer.status != "Ok" or not answer.auth_key:
            raise AccessError(
                f"{self.name} refuses the login of {login}",
                evidence=f"status {answer.status} {self._http.redact(answer.message or '')}".strip(),
            )
        return answer.auth_key

    def validate(self, login: str, password: str) -> str:
        """`PASSWORD` when it is the account's, else `NONE`, ...; opens no session, answers on a clone too (clone-and-api.md 5.2)."""
        where = f"/api/auth/validate?{urlencode({'login': login, 'origin': 'bmswitch'})}"
        return self._http.read(where, password, str)

    def ensure_probes(self, domain: str, uids: Sequence[str]) -> int:
        """Creates the hidden external users of the barrier that are not there yet; how many were created."""
        there = {item.uid for item in self._entries(domain, uids)}
        wanted = [uid for uid in uids if uid not in there]
        nonce = new_nonce()
        _parallel(lambda uid: self._put_probe(domain, uid, nonce), wanted)
        return len(wanted)

    def write_nonce(self, domain: str, uids: Sequence[str], nonce: str) -> None:
        """Writes the nonce as the displayed name of every probe entry; 16 writes at a time."""
        _parallel(
            lambda uid: self._http.write(
                "POST", _probe_path(domain, uid), _probe_value(uid, nonce), repeatable=True
            ),
            uids,
        )

    def nonces_missing(self, domain: str, uids: Sequence[str], nonce: str) -> int:
        """How many probe entries do not show the nonce yet: one call."""
        shown = sum(1 for item in self._entries(domain, uids) if _shown_name(item) == nonce)
        return len(uids) - shown

    def probe_write(self, domain: str) -> None:
        """Proves that an item write is accepted: writes a fresh nonce to one probe entry and reads it back."""
        uid, nonce = probe_uids()[0], new_nonce()
        self.write_nonce(domain, [uid], nonce)
        if self.nonces_missing(domain, [uid], nonce):
            raise UnknownError(
                f"{self.name} accepted a write in {domain} and does not show it",
                evidence=f"external user {uid}",
                next_command=f"look at {self.name}'s core log",
            )

    def _entries(self, domain: str, uids: Sequence[str]) -> list[ItemValue[DirEntry]]:
        found = self._http.read(
            path("api", "directory", domain, "_mget"), list(uids), list[ItemValue[DirEntry]]
        )
        return [item for item in found if item is not None]

    def _put_probe(self, domain: str, uid: str, nonce: str) -> None:
        """Creation, where `already there` is success: two runs may meet."""
        try:
            self._http.send("PUT", _probe_path(domain, uid), _probe_value(uid, nonce))
        except ApiError as fault:
            if fault.code != "ALREADY_EXISTS":
                raise told(self.name, f"PUT external user {uid}", fault, write=True) from fault


class _SystemConf(msgspec.Struct):
    values: dict[str, str]


def _task_id(raw: bytes) -> str:
    return msgspec.json.decode(raw, type=TaskRef).id


def _probe_path(domain: str, uid: str) -> str:
    return path("api", "externaluser", domain, uid)


def _probe_value(uid: str, nonce: str) -> dict[str, object]:
    """A hidden external user whose address can not receive mail (`.invalid`, RFC 2606)."""
    name = {"parameters": [], "value": nonce}
    return {
        "contactInfos": {
            "kind": "individual",
            "identification": {
                "formatedName": name,
                "name": {"parameters": [], "value": None, "familyNames": nonce, "givenNames": None},
            },
        },
        "emails": [{"address": f"{uid}@bmswitch.invalid", "allAliases": False, "isDefault": True}],
        "hidden": True,
        "archived": False,
        "system": False,
        "dataLocation": None,
        "orgUnitUid": None,
    }


def _shown_name(item: ItemValue[DirEntry]) -> str | None:
    return item.value.display_name or item.display_name


def _parallel(work: Callable[[str], object], uids: Iterable[str]) -> None:
    """Runs `work` for each uid, 16 at a time; the first error is raised after all have ended."""
    todo = list(uids)
    if not todo:
        return
    with ThreadPoolExecutor(min(_PARALLEL, len(todo)), thread_name_prefix="probe") as pool:
        for done in [pool.submit(work, uid) for uid in todo]:
            done.result()


def wait_task(core: Core, task_id: str, *, timeout: float, poll: float = 0.2) -> TaskStatus:
    """The status of an ended task; UnknownError when the deadline passes first."""
    end = time.monotonic() + timeout
    while True:
        status = core.task(task_id)
        if status.ended:
            return status
        if time.monotonic() >= end:
            raise UnknownError(
                f"task {task_id} on {core.name} did not end in {timeout:g} s", evidence=status.message
            )
        time.sleep(min(poll, max(0.0, end - time.monotonic())))
