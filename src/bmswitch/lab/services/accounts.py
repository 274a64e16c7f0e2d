"""Logins, sessions and API keys (clone-and-api.md 4.1, traffic-and-objects.md A6, A8)."""

import asyncio
import hashlib
import hmac
import uuid

import msgspec

from bmswitch.lab.services.context import ADMIN0, SYSTEM, Context
from bmswitch.lab.services.errors import BadKey
from bmswitch.lab.services.passwords import verify
from bmswitch.lab.services.shapes_directory import DirEntryAndValue, User
from bmswitch.lab.store import DIR_ENTRY_CLASS, Session

GLOBAL_DOMAIN = "global.virt"
ADMIN_LOGIN = f"admin0@{GLOBAL_DOMAIN}"
_IDLE_MS = 20 * 60 * 1000  # session expiry
_TOUCH_MS = 60 * 1000  # how seldom a session's use is written
_CACHED = 10_000


class Caller(msgspec.Struct, frozen=True):
    """Who calls: `uid` is `system` for the token, empty for nobody."""

    uid: str = ""
    domain: str = ""
    admin: bool = False


class Account(msgspec.Struct, frozen=True):
    """A user who proved a password."""

    uid: str
    domain: str
    login: str
    display_name: str


class Login(msgspec.Struct, frozen=True):
    """Outcome of a login: `status` is `Ok` or `Bad`."""

    status: str
    message: str | None = None
    key: str | None = None
    account: Account | None = None


TOKEN_CALLER = Caller(SYSTEM, GLOBAL_DOMAIN, admin=True)
ADMIN_CALLER = Caller(ADMIN0, GLOBAL_DOMAIN, admin=True)
NOBODY = Caller()


class Accounts:
    """Who may call what. Sessions live in the store, are not logged, and do not survive a switch."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._callers: dict[str, tuple[Caller, int]] = {}
        self._proved: dict[tuple[str, str], bytes] = {}
        self._token = ""

    def token(self) -> str:
        """The admin token, empty while not installed. Read once: a core does not change it."""
        if not self._token and self._context.site.token_path.exists():
            self._token = self._context.site.token_path.read_text().strip()
        return self._token

    def caller(self, key: str | None) -> Caller:
        """Who an API key belongs to. BadKey for an unknown or idle one; no key, or no token file yet, is nobody."""
        if not key:
            return NOBODY
        token = self.token()
        if not token:
            return NOBODY
        if token and hmac.compare_digest(key.encode(), token.encode()):
            return TOKEN_CALLER
        now = self._context.now()
        known = self._callers.get(key)
        if known is not None and now - known[1] < _TOUCH_MS:
            return known[0]
        return self._session_caller(key, now)

    def _session_caller(self, key: str, now: int) -> Caller:
        session = self._context.store.session(key)
        if session is None or now - session.used > _IDLE_MS:
            self._callers.pop(key, None)
            raise BadKey("authentication failed")
        self._context.store.put_session(msgspec.structs.replace(session, used=now))
        caller = ADMIN_CALLER if session.uid == ADMIN0 else Caller(session.uid, session.domain)
        if len(self._callers) >= _CACHED:
            self._callers.clear()
        self._callers[key] = (caller, now)
        return caller

    async def login(self, login: str, password: str, *, by: Caller = NOBODY) -> Login:
        """Open a session. Refused outside RUNNING but for admin0 and callers who are admin already."""
        if not self._context.state.running and login != ADMIN_LOGIN and not by.admin:
            return Login("Bad", "Authentication denied while system is in maintenance mode")
        if login == ADMIN_LOGIN:
            if not self._admin_password(password):
                return Login("Bad", "authentication failed")
            return Login(
                "Ok",
                key=self._open(GLOBAL_DOMAIN, ADMIN0),
                account=Account(ADMIN0, GLOBAL_DOMAIN, "admin0", "admin0"),
            )
        found = await self.verify(login, password)
        if found is None:
            return Login("Bad", "authentication failed")
        return Login("Ok", key=self._open(found.domain, found.uid), account=found)

    def logout(self, key: str) -> None:
        """End a session."""
        self._callers.pop(key, None)
        self._context.store.delete_session(key)

    async def validate(self, login: str, password: str) -> str:
        """`TOKEN`, `PASSWORD` or `NONE`; not bound to the core's state."""
        if login == ADMIN_LOGIN:
            return "TOKEN" if self._admin_password(password) else "NONE"
        if self._context.store.session(password) is not None:
            found = self._find(login)
            session = self._context.store.session(password)
            return "TOKEN" if found and session and session.uid == found.uid else "NONE"
        return "PASSWORD" if await self.verify(login, password) else "NONE"

    async def verify(self, login: str, password: str) -> Account | None:
        """The account behind a login and its password, or None. A proved pair is remembered while its hash stays."""
        account = self._find(login)
        if account is None:
            return None
        stored = self._context.store.password(account.domain, account.uid)
        if stored is None:
            return None
        proof = hashlib.sha256(f"{stored}\0{password}".encode()).digest()
        if self._proved.get((account.domain, account.uid)) == proof:
            return account
        if not await asyncio.to_thread(verify, password, stored):
            return None
        self._proved[account.domain, account.uid] = proof
        return account

    def _admin_password(self, password: str) -> bool:
        token = self.token()
        return bool(token) and hmac.compare_digest(password.encode(), token.encode())

    def _open(self, domain: str, uid: str) -> str:
        key = str(uuid.uuid4())
        self._context.store.put_session(Session(key, domain, uid, self._context.now()))
        return key

    def _find(self, login: str) -> Account | None:
        found = self._context.store.find_address(login)
        if found is None:
            return None
        domain, uid = found
        item = self._context.store.item(domain, uid)
        if item is None or item.value_class != DIR_ENTRY_CLASS:
            return None
        entry = msgspec.json.decode(item.value, type=DirEntryAndValue)
        if entry.entry.kind != "USER" or entry.entry.archived:
            return None
        user = msgspec.json.decode(entry.value, type=User)
        return Account(uid, domain, user.login, item.display_name or user.login)
