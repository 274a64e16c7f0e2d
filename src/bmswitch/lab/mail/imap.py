"""IMAP of a stand-in installation: Twisted's server, on the core's asyncio loop.

Added to Twisted: UIDPLUS, notifications during IDLE, a polite end (`kick`), and NO where Twisted says BAD, because a
write that is refused is no protocol error. Outside CORE_STATE_RUNNING a connection is accepted, gets no greeting and
is closed after 2 s; open sessions go on (traffic-and-objects.md A6).
"""
# ruff: noqa: N802, N815, A002 - Twisted finds its hooks by its own names
# mypy: allow-untyped-calls
# Twisted's IMAP module has no annotations: calls into it can not be checked.

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from email.utils import mktime_tz, parsedate_tz
from io import BytesIO
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.mail.imap4 import (
    IAccount,
    IMAP4Server,
    MessageSet,
    PLAINCredentials,
    parseIdList,
)
from twisted.python.failure import Failure

from bmswitch.lab.mail.mailbox import FLAGS, AccountView, MailboxView, MessageView
from bmswitch.lab.mail.registry import Registry
from bmswitch.lab.services.errors import Fault
from bmswitch.lab.services.mail import FolderEvent, MailService

Login = tuple[Any, AccountView, Callable[[], None]]

_NO_GREETING_SECONDS = 2.0
_KICK_SECONDS = 5.0
_LIGHT_PARTS = frozenset({"uid", "flags", "internaldate", "rfc822size"})


class ImapFactory(ServerFactory):
    """Makes one session per connection and knows all that are open.

    `call_later` is the reactor's; `ident` is told in the greeting, so that a probe sees which side answers.
    """

    noisy = False

    def __init__(self, mail: MailService, *, ident: str, call_later: Callable[..., Any]) -> None:
        self.mail = mail
        self.ident = ident
        self.call_later = call_later
        self.sessions: Registry[ImapSession] = Registry()

    def buildProtocol(self, _addr: IAddress | None) -> "ImapSession":
        """One session."""
        return ImapSession(self)


class ImapSession(IMAP4Server):
    """One connection. `kick` ends it politely, `abort` at once."""

    transport: Any
    portal: Any
    account: Any  # AccountView once logged in
    mbox: Any  # MailboxView while a folder is selected

    def __init__(self, factory: ImapFactory) -> None:
        super().__init__(chal={b"PLAIN": PLAINCredentials}, scheduler=self._iterate)
        self.IDENT = b"stand-in " + factory.ident.encode()
        self._factory = factory
        self._mail = factory.mail
        self.portal = _Portal(self._mail)
        self._running: bytes | None = None
        self._kicked = False
        self._ended = False
        self._unsubscribe: Callable[[], None] | None = None

    # -- connection ----------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Greet, or say nothing for 2 s and close when the core is not RUNNING."""
        self.transport.setTcpNoDelay(True)
        if not self._mail.running:
            self.tags = {}
            self.callLater(_NO_GREETING_SECONDS, self.transport.loseConnection)
            return
        self._factory.sessions.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the session."""
        self._ended = True
        self._factory.sessions.discard(self)
        self._leave_folder()
        super().connectionLost(reason)

    def callLater(self, period: float, func: Callable[[], object]) -> Any:
        """Timers of the core's own loop instead of a global reactor."""
        return self._factory.call_later(period, func)

    @property
    def idling(self) -> bool:
        """Whether the client waits in IDLE."""
        return bool(self.parseState == "idle")

    @property
    def leaving(self) -> bool:
        """Whether it was told to end."""
        return self._kicked or self._ended

    def kick(self) -> None:
        """Say BYE and close: at once between commands and in IDLE, else after the running command (at most 5 s)."""
        if self._running is None or self.idling:
            self._bye()
        elif not self._kicked:
            self._kicked = True
            self.callLater(_KICK_SECONDS, self._bye)

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abortConnection()

    def _bye(self) -> None:
        if not self._ended:
            self._ended = True
            self.sendLine(b"* BYE Server shutting down.")
            self.transport.loseConnection()

    # -- commands: which one runs --------------------------------------------------------------------------------

    def dispatchCommand(self, tag: bytes, cmd: bytes, rest: bytes | None, uid: int | None = None) -> None:
        """Remember which command runs, so that `kick` can wait for its end."""
        self._running = tag
        super().dispatchCommand(tag, cmd, rest, uid)

    def _respond(self, state: bytes, tag: bytes | None, message: bytes | None) -> None:
        super()._respond(state, tag, message)
        if tag is not None and tag == self._running:
            self._running = None
            if self._kicked:
                self._bye()

    def _refuse(self, tag: bytes, error: Exception) -> None:
        code = b"[UNAVAILABLE] " if isinstance(error, Fault) else b"[SERVERBUG] "
        text = str(error).encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
        self.sendNegativeResponse(tag, code + text)

    def _run(self, tag: bytes, work: Coroutine[Any, Any, bytes]) -> None:
        """Run a command's work; its result is the text of the OK, any error is a NO."""

        def done(task: asyncio.Task[bytes]) -> None:
            if task.cancelled():
                return
            error = task.exception()
            if isinstance(error, Exception):
                self._refuse(tag, error)
            elif error is None:
                self.sendPositiveResponse(tag, task.result())

        asyncio.get_running_loop().create_task(work).add_done_callback(done)

    def _answer(self, tag: bytes, work: Callable[[], bytes]) -> None:
        """The same for work that waits for nothing."""
        try:
            text = work()
        except (Fault, LookupError, ValueError) as error:
            self._refuse(tag, error)
        else:
            self.sendPositiveResponse(tag, text)

    @staticmethod
    def _iterate(steps: Iterator["Deferred[Any] | None"]) -> "Deferred[None]":
        """Drive Twisted's generators of FETCH answers; one step per turn of the loop."""
        return Deferred.fromFuture(asyncio.ensure_future(_drive(steps)))

    # -- capabilities and login ----------------------------------------------------------------------------------

    def capabilities(self) -> dict[bytes, list[bytes] | None]:
        """Twisted's and UIDPLUS."""
        found: dict[bytes, list[bytes] | None] = super().capabilities()
        found[b"UIDPLUS"] = None
        return found

    def authenticateLogin(self, user: bytes, passwd: bytes) -> "Deferred[Login]":
        """LOGIN."""
        login: Deferred[Login] = self.portal.check(user, passwd)
        return login

    # -- folders -------------------------------------------------------------------------------------------------

    def _cbSelectWork(self, mbox: MailboxView | None, cmdName: bytes, tag: bytes) -> None:  # noqa: N803
        self._leave_folder()
        if mbox is None:
            self.sendNegativeResponse(tag, b"[NONEXISTENT] No such mailbox")
            return
        flags = " ".join(FLAGS).encode()
        folder = mbox.folder
        self.sendUntaggedResponse(b"%d EXISTS" % len(mbox.uids))
        self.sendUntaggedResponse(b"0 RECENT")
        self.sendUntaggedResponse(b"FLAGS (" + flags + b")")
        self.sendPositiveResponse(None, b"[PERMANENTFLAGS (" + flags + b" \\*)] Limited")
        self.sendPositiveResponse(None, b"[UIDVALIDITY %d] UIDs valid" % folder.uid_validity)
        self.sendPositiveResponse(None, b"[UIDNEXT %d] Predicted next UID" % (folder.last_uid + 1))
        self.mbox = mbox
        self.state = "select"
        self._unsubscribe = self._mail.subscribe(folder.uid, self._folder_changed)
        access = b"[READ-WRITE] " if mbox.writable else b"[READ-ONLY] "
        self.sendPositiveResponse(tag, access + cmdName + b" successful")

    def _leave_folder(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def do_STATUS(self, tag: bytes, mailbox: bytes, names: list[bytes]) -> None:
        """STATUS, with a quoted name (Twisted does not quote it)."""
        name = _folder_name(mailbox)
        folder = self.account.folder(name)
        if folder is None:
            self.sendNegativeResponse(tag, b"[NONEXISTENT] No such mailbox")
            return
        items = self.account.status(folder, [item.decode() for item in names])
        line = " ".join(f"{key} {value}" for key, value in items.items()).encode()
        quoted = b'"' + folder.full_name.encode("imap4-utf-7") + b'"'
        self.sendUntaggedResponse(b"STATUS " + quoted + b" (" + line + b")")
        self.sendPositiveResponse(tag, b"STATUS completed")

    auth_STATUS: Any = (do_STATUS, IMAP4Server.arg_astring, IMAP4Server.arg_plist)
    select_STATUS: Any = auth_STATUS

    # -- messages ------------------------------------------------------------------------------------------------

    def do_APPEND(
        self, tag: bytes, mailbox: bytes, flags: list[bytes] | None, date: bytes | None, message: BytesIO
    ) -> None:
        """APPEND; answered when body and rows are durable, with APPENDUID."""
        folder = self.account.folder(_folder_name(mailbox))
        if folder is None:
            self.sendNegativeResponse(tag, b"[TRYCREATE] No such mailbox")
            return
        names = tuple(flag.decode() for flag in flags or ())
        when = parsedate_tz(date.decode().strip().replace("-", " ")) if date else None
        raw = message.read()
        user = self.account.user

        async def append() -> bytes:
            at = mktime_tz(when) * 1000 if when else None
            imap_uid = await self._mail.append(user.uid, folder.uid, raw, names, at)
            self._tell_changes()
            return b"[APPENDUID %d %d] APPEND completed" % (folder.uid_validity, imap_uid)

        self._run(tag, append())

    auth_APPEND: Any = (
        do_APPEND,
        IMAP4Server.arg_astring,
        IMAP4Server.opt_plist,
        IMAP4Server.opt_datetime,
        IMAP4Server.arg_literal,
    )
    select_APPEND: Any = auth_APPEND

    def do_STORE(
        self, tag: bytes, messages: MessageSet, mode: bytes, flags: list[bytes], uid: int = 0
    ) -> None:
        """STORE and UID STORE."""
        if uid:
            self._tell_changes()
        silent = mode.upper().endswith(b"SILENT")
        sign = {b"+": 1, b"-": -1}.get(mode[:1], 0)

        def store() -> bytes:
            changed = self._writable().store(messages, [flag.decode() for flag in flags], sign, uid=bool(uid))
            for sequence, now in ({} if silent else changed).items():
                self._tell_flags(sequence, now)
            return b"STORE completed"

        self._answer(tag, store)

    select_STORE: Any = (do_STORE, IMAP4Server.arg_seqset, IMAP4Server.arg_atom, IMAP4Server.arg_flaglist)

    def do_FETCH(self, tag: bytes, messages: MessageSet, query: list[Any], uid: int = 0) -> None:
        """FETCH, and UID FETCH, which also finds what came since the client was told last."""
        if uid:
            self._tell_changes()
        super().do_FETCH(tag, messages, query, uid)

    select_FETCH: Any = (do_FETCH, IMAP4Server.arg_seqset, IMAP4Server.arg_fetchatt)

    def do_EXPUNGE(self, tag: bytes, only: MessageSet | None = None) -> None:
        """EXPUNGE, and UID EXPUNGE of the UIDs `only`."""

        def expunge() -> bytes:
            for sequence in self._writable().expunge(only):
                self.sendUntaggedResponse(b"%d EXPUNGE" % sequence)
            return b"EXPUNGE completed"

        self._answer(tag, expunge)

    select_EXPUNGE: Any = (do_EXPUNGE,)

    def do_CLOSE(self, tag: bytes) -> None:
        """CLOSE: expunge in silence, then leave the folder."""

        def close() -> bytes:
            box, self.mbox, self.state = self.mbox, None, "auth"
            self._leave_folder()
            if box.writable:
                box.expunge(None)
            return b"CLOSE completed"

        self._answer(tag, close)

    select_CLOSE: Any = (do_CLOSE,)

    def do_UID(self, tag: bytes, command: bytes, line: bytes) -> None:
        """UID prefix, with EXPUNGE (RFC 4315)."""
        if command.upper() == b"EXPUNGE":
            self.do_EXPUNGE(tag, parseIdList(line.strip()))
        else:
            super().do_UID(tag, command, line)

    select_UID: Any = (do_UID, IMAP4Server.arg_atom, IMAP4Server.arg_line)

    def do_NOOP(self, tag: bytes) -> None:
        """NOOP and CHECK: tells what others changed."""
        self._tell_changes()
        self.sendPositiveResponse(tag, b"NOOP completed")

    auth_NOOP: Any = (do_NOOP,)
    select_NOOP: Any = auth_NOOP
    select_CHECK: Any = auth_NOOP

    def spewMessage(self, id: int, msg: MessageView, query: list[Any], uid: int) -> "Deferred[None]":
        """One FETCH answer; the body is read from the object store only when it is asked for."""
        heavy = any(part.type not in _LIGHT_PARTS for part in query)
        return Deferred.fromFuture(asyncio.ensure_future(self._spew(id, msg, query, uid, load=heavy)))

    async def _spew(self, id: int, msg: MessageView, query: list[Any], uid: int, *, load: bool) -> None:
        if load:
            await msg.load()
        await super().spewMessage(id, msg, query, uid).asFuture(asyncio.get_running_loop())

    def spew_body(self, part: Any, id: int, msg: MessageView, _w: Any = None, _f: Any = None) -> None:
        """BODY[...]: whole and text are written at once. Twisted's producer never ends when the client has gone."""
        if part.empty and not part.part:
            _w(part.getBytes(length=msg.getSize()) + b" " + _literal(msg.raw))
        elif part.text and not part.part:
            _w(bytes(part) + b" " + _literal(msg.getBodyFile().read()))
        else:
            super().spew_body(part, id, msg, _w, _f)

    def spew_rfc822(self, id: int, msg: MessageView, _w: Any = None, _f: Any = None) -> None:  # noqa: ARG002 - Twisted's
        """RFC822: the same."""
        _w(b"RFC822 " + _literal(msg.raw))

    def spew_rfc822text(self, id: int, msg: MessageView, _w: Any = None, _f: Any = None) -> None:  # noqa: ARG002 - Twisted's
        """RFC822.TEXT: the same."""
        _w(b"RFC822.TEXT " + _literal(msg.getBodyFile().read()))

    # -- IDLE ----------------------------------------------------------------------------------------------------

    def do_IDLE(self, tag: bytes) -> None:
        """IDLE: changes of the selected folder are told as they happen."""
        self._tell_changes()
        super().do_IDLE(tag)

    auth_IDLE: Any = (do_IDLE,)
    select_IDLE: Any = auth_IDLE

    def sendContinuationRequest(self, msg: bytes | None = b"Ready for additional command text") -> None:
        """RFC 3501 wants a space after the plus, with or without text."""
        self.sendLine(b"+ " + (msg or b""))

    def _folder_changed(self, event: FolderEvent) -> None:
        if not self.idling:
            return
        if event.kind != "flags":
            self._tell_changes()
            return
        box = self.mbox
        flags = {message.imap_uid: message.flags for message in self._mail.messages(event.folder_uid)}
        if event.imap_uid in box.uids and event.imap_uid in flags:
            self._tell_flags(box.uids.index(event.imap_uid) + 1, flags[event.imap_uid])

    def _tell_changes(self) -> None:
        if self.mbox is None:
            return
        gone, grown = self.mbox.refresh()
        for sequence in gone:
            self.sendUntaggedResponse(b"%d EXPUNGE" % sequence)
        if grown:
            self.sendUntaggedResponse(b"%d EXISTS" % len(self.mbox.uids))

    def _tell_flags(self, sequence: int, flags: tuple[str, ...]) -> None:
        names = " ".join(flags).encode()
        imap_uid = self.mbox.getUID(sequence)
        self.sendUntaggedResponse(b"%d FETCH (UID %d FLAGS (%b))" % (sequence, imap_uid, names))

    def _writable(self) -> MailboxView:
        box: MailboxView = self.mbox
        if not box.writable:
            raise ValueError("the folder was opened read-only")
        return box


class _Portal:
    """Logins for AUTHENTICATE PLAIN and LOGIN."""

    def __init__(self, mail: MailService) -> None:
        self._mail = mail

    def login(self, credentials: PLAINCredentials, _mind: None, _interface: object) -> "Deferred[Login]":
        """Twisted's name for it."""
        return self.check(credentials.username, credentials.password)

    def check(self, login: bytes, password: bytes) -> "Deferred[Login]":
        """The account of a login, or UnauthorizedLogin."""
        return Deferred.fromFuture(asyncio.ensure_future(self._check(login, password)))

    async def _check(self, login: bytes, password: bytes) -> Login:
        user = await self._mail.authenticate(
            login.decode("utf-8", "replace"), password.decode("utf-8", "replace")
        )
        if user is None:
            raise UnauthorizedLogin
        return IAccount, AccountView(self._mail, user), lambda: None


async def _drive(steps: Iterator["Deferred[Any] | None"]) -> None:
    loop = asyncio.get_running_loop()
    for step in steps:
        if step is not None:
            await step.asFuture(loop)


def _literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def _folder_name(name: bytes | str) -> str:
    return name if isinstance(name, str) else name.decode("imap4-utf-7")
