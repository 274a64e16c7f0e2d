"""One installation's answers, made once and sent as bytes: a server that costs as little as one in this language can.

Every user has one address book of `items` cards, one calendar of as many events and one folder of as many mails; or there are nothing but
containers of one note each. Both sides of the proof read the same server, so they are equal.
"""

import asyncio
import heapq
import sys
from urllib.parse import unquote

import msgspec

DOMAIN = "bench.lan"
_encode = msgspec.json.encode
_HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_UNKNOWN = _encode({"code": "UNKNOWN", "message": "no route", "stackTrace": []})


COUNTED = "/_counted"
"""Answered with the bytes that were read and written so far; neither this question nor its answer is among them."""


def item(uid: str, number: int, value: object) -> dict[str, object]:
    """An ItemValue."""
    return {
        "uid": uid, "internalId": number, "version": 1, "displayName": uid, "externalId": None, "createdBy": "system",
        "updatedBy": "system", "created": 1000, "updated": 2000, "flags": [], "value": value,
    }  # fmt: skip


class Answers:
    """What is answered to whom: `GET path` or `POST path`, and the uids asked for in a POST."""

    def __init__(self, users: int, items: int) -> None:
        self.entries = [
            item(f"u{n}", n, {"entryUid": f"u{n}", "kind": "USER", "displayName": f"User {n}"})
            for n in range(users)
        ]
        self.search = _encode({"total": users, "values": self.entries})
        self.cards = {
            f"c{n}": item(
                f"c{n}", n, {"identification": {"formatedName": {"value": f"Card {n}"}}, "note": "x" * 200}
            )
            for n in range(items)
        }
        self.events = {
            f"e{n}": item(f"e{n}", n, {"main": {"summary": f"Event {n}", "description": "x" * 300}})
            for n in range(items)
        }
        mails = [
            item(f"{n}.", n, {"imapUid": n, "flags": ["\\Seen"], "internalDate": n, "conversationId": str(n)})
            for n in range(items)
        ]
        self.mails, self.by_id = _encode(mails), {one["internalId"]: one for one in mails}
        self.lists = {"c": self._described(self.cards), "e": self._described(self.events)}
        self.count = _encode({"total": items})

    def _described(self, items: dict[str, dict[str, object]]) -> bytes:
        return _encode([{k: v for k, v in one.items() if k != "value"} for one in items.values()])

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:  # noqa: PLR0911 -- one line a call
        """Status and body."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        last = parts[-1]
        if last == "_search":
            return 200, self.search
        if last == "_listLight":
            owner = msgspec.json.decode(body)["owner"]
            kinds = (("book:", "addressbook"), ("cal:", "calendar"), ("mbox_records_", "mailbox_records"))
            return 200, _encode(
                [
                    {"uid": f"{head}{owner}", "type": kind, "owner": owner, "domainUid": DOMAIN}
                    for head, kind in kinds
                ]
            )
        if last == "_itemCount":
            return 200, self.count
        if last == "_list":
            return 200, self.lists["c" if parts[-2].startswith("book:") else "e"]
        if last == "_mget":
            held = self.cards if parts[1] == "addressbooks" else self.events
            return 200, _encode([held[uid] for uid in msgspec.json.decode(body)])
        if last == "_all":
            return 200, self.mails
        if last == "_mgetById":
            return 200, _encode([self.by_id[n] for n in msgspec.json.decode(body)])
        if last in ("_acl", "_settings"):
            return 200, b"[]" if last == "_acl" else b"{}"
        if last == "complete":
            return 200, _encode(item(parts[-2], 1, {"login": parts[-2], "quota": 5}))
        return 500, _UNKNOWN


class Notes:
    """So many containers of one note each, all of them made and kept."""

    def __init__(self, containers: int) -> None:
        self._kept = {container_of(n): b"[%s]" % _encode(note(n)) for n in range(containers)}

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:  # noqa: ARG002 -- there is one note to ask for
        """Status and body."""
        found = self._kept.get(unquote(path.split("/")[3]))
        return (200, found) if found is not None else (500, _UNKNOWN)


def owner_of(n: int) -> str:
    """The owner of the n-th container of notes."""
    return f"0D38FB8C-D2CC-47B5-B6F9-{n:012d}"


def container_of(n: int) -> str:
    """The n-th container of notes."""
    return f"notes:default_{owner_of(n)}"


def note(n: int) -> dict[str, object]:
    """The note in it."""
    uid = f"{n}-5a1e-4f6e"
    return item(uid, 1000 + n, {"body": "x" * 300, "subject": uid})


class Workers:
    """So many workers that each take `seconds` for a request, in the order in which requests come: when the next one will be done."""

    def __init__(self, count: int, seconds: float) -> None:
        self._free, self._seconds = [0.0] * count, seconds

    def done(self, now: float) -> float:
        """Takes the worker that is free first; a moment on the clock of `now`."""
        at = max(now, self._free[0]) + self._seconds
        heapq.heapreplace(self._free, at)
        return at


class Wire(asyncio.Protocol):
    """Requests of one connection, one after the other; answered at once, or when a worker has done them."""

    received = sent = 0
    """Bytes of all connections."""

    def __init__(self, answers: Answers | Notes, workers: Workers | None = None) -> None:
        self._answers, self._buffer, self._workers = answers, b"", workers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers every whole request."""
        Wire.received += len(data)
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")),
                0,
            )
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            path = head.split(" ", 2)[1]
            if path == COUNTED:
                Wire.received -= len(head) + 4 + length
                answer = _encode({"received": Wire.received, "sent": Wire.sent})
                self._transport.write(_HEAD % (200, len(answer)) + answer)
                continue
            status, answer = self._answers.answer(path, body)
            self._send(_HEAD % (status, len(answer)) + answer)

    def _send(self, answer: bytes) -> None:
        Wire.sent += len(answer)
        if self._workers is None:
            self._transport.write(answer)
            return
        loop = asyncio.get_running_loop()
        loop.call_at(self._workers.done(loop.time()), self._transport.write, answer)


async def serve(answers: Answers | Notes, workers: int = 0, work_ms: int = 0) -> None:
    """Prints its port and serves until it is ended; with `workers`, each answer takes one of them `work_ms`."""
    loop = asyncio.get_running_loop()
    busy = Workers(workers, work_ms / 1000) if workers else None
    server = await loop.create_server(lambda: Wire(answers, busy), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(first: str, second: str, *workers: str) -> None:
    """`USERS ITEMS [WORKERS MILLISECONDS]`, or `notes CONTAINERS`."""
    answers = Notes(int(second)) if first == "notes" else Answers(int(first), int(second))
    asyncio.run(serve(answers, *map(int, workers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
