"""Web clients: reads (one item, several, counts) and writes (create, update, delete) of events and contacts, 60 to 40 as a rule.

Everything happens in the own calendar and the own contacts of each load user. Reads check what they read: an item
that was acknowledged and is missing, or shows an older content, is a failure that a user would have seen.
"""

import asyncio

import msgspec

from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.http_client import Answer, Call, HttpClient, LoginRefusedError, NoAnswerError
from bmswitch.lab.traffic.ledger import Outcome
from bmswitch.lab.traffic.people import Item, Kind, Person
from bmswitch.lab.traffic.shapes import container_path, item_path, quoted, value_of

_KEPT = 0.85
_MGET = 10
_FROM_A_PROXY = (502, 503, 504)


class HttpLoad:
    """Sends one request per call of `one`; never raises for what the other side does."""

    def __init__(self, context: Context, client: HttpClient) -> None:
        self._context = context
        self._client = client

    async def one(self, scheduled: float) -> None:
        """Any request of the mix, by any load user."""
        self._context.stats.sent("http")
        chance = self._context.chance
        person = self._context.person()
        item = person.pick_item(chance)
        writes = chance.random() < self._context.config.writes
        draw = chance.random()
        if item is None or (writes and draw < 0.35):
            await self.create(person, scheduled)
        elif writes and draw < 0.7:
            await self._update(person, item, scheduled)
        elif writes:
            await self._delete(person, item, scheduled)
        elif draw < 0.58:
            await self._get(person, item, scheduled)
        elif draw < 0.83:
            await self._mget(person, item, scheduled)
        else:
            await self._count(person, item, scheduled)

    # -- reads ---------------------------------------------------------------------------------------------------

    async def _get(self, person: Person, item: Item, scheduled: float) -> None:
        content = item.content
        call = Call("GET", item_path(item) + "/complete", self._context.new_id(), read=True)
        answer = await self._read(person, call)
        if answer is None:
            return
        untouched = item.content == content and not item.busy and not item.gone
        stale = untouched and content.encode() not in answer.body
        if (answer.ok and not stale) or (answer.status == 404 and not untouched):
            self._context.stats.answered("http", scheduled)
        else:
            self._context.stats.failed("http", f"read: {'stale content' if answer.ok else answer.reason}")

    async def _mget(self, person: Person, item: Item, scheduled: float) -> None:
        some = [other for other in person.items if other.container == item.container][-_MGET:]
        path = container_path(item.kind, item.container) + "/_mget"
        body = msgspec.json.encode([other.uid for other in some])
        answer = await self._read(person, Call("POST", path, self._context.new_id(), body, read=True))
        if answer is None:
            return
        there = [other for other in some if not other.gone and not other.busy]
        if not answer.ok:
            self._context.stats.failed("http", f"read: {answer.reason}")
        elif any(other.uid.encode() not in answer.body for other in there):
            self._context.stats.failed("http", "read: an item is missing in _mget")
        else:
            self._context.stats.answered("http", scheduled)

    async def _count(self, person: Person, item: Item, scheduled: float) -> None:
        path = f"/api/containers/_manage/{quoted(item.container)}/_itemCount"
        answer = await self._read(person, Call("GET", path, self._context.new_id(), read=True))
        if answer is None:
            return
        if answer.ok:
            self._context.stats.answered("http", scheduled)
        else:
            self._context.stats.failed("http", f"read: {answer.reason}")

    async def _read(self, person: Person, call: Call) -> Answer | None:
        try:
            return await self._client.ask(person, call, kept=self._kept())
        except (NoAnswerError, LoginRefusedError) as error:
            self._context.stats.failed("http", f"read: {error}")
            return None
        except asyncio.CancelledError:
            self._context.stats.unknown("http", "read: the load ended")
            raise

    # -- writes --------------------------------------------------------------------------------------------------

    async def create(self, person: Person, scheduled: float) -> None:
        """Create an event or a contact of a person."""
        kind: Kind = "calendars" if self._context.chance.random() < 0.6 else "addressbooks"
        write_id = self._context.new_id()
        item = Item(
            kind=kind, container=person.container(kind), uid=f"load-{write_id}", content=write_id, busy=True
        )
        write = self._write(write_id, "create", item, scheduled)
        outcome = await self._put(
            person, write, Call("PUT", item_path(item), write_id, value_of(kind, item.uid, write_id))
        )
        item.busy = False
        if outcome == "acknowledged":
            person.items.append(item)

    async def _update(self, person: Person, item: Item, scheduled: float) -> None:
        item.busy = True
        write_id = self._context.new_id()
        write = self._write(write_id, "update", item, scheduled)
        body = value_of(item.kind, item.uid, write_id)
        outcome = await self._put(person, write, Call("POST", item_path(item), write_id, body))
        item.busy = False
        if outcome == "acknowledged":
            item.content = write_id
        elif outcome == "unknown":
            person.forget(item)

    async def _delete(self, person: Person, item: Item, scheduled: float) -> None:
        item.busy = True
        write = self._write(self._context.new_id(), "delete", item, scheduled)
        outcome = await self._put(person, write, Call("DELETE", item_path(item), write.id))
        item.busy = False
        if outcome != "refused":
            person.forget(item)

    async def _put(self, person: Person, write: Write, call: Call) -> Outcome:
        """Send a write, count it and put it down in the ledger."""
        stats = self._context.stats
        outcome: Outcome
        side = ""
        try:
            answer = await self._client.ask(person, call, kept=self._kept())
        except LoginRefusedError as error:
            stats.failed("http", f"write: {error}")
            outcome, reason = "refused", str(error)
        except NoAnswerError as error:
            outcome, reason = self._unanswered(error), str(error)
        except asyncio.CancelledError:
            stats.unknown("http", "write: the load ended")
            self._context.note(write, "unknown", reason="the load ended")
            raise
        else:
            outcome, reason, side = self._judged(answer, write), answer.reason, answer.side
        self._context.note(write, outcome, side=side, reason="" if outcome == "acknowledged" else reason)
        return outcome

    def _judged(self, answer: Answer, write: Write) -> Outcome:
        if answer.ok:
            self._context.stats.answered("http", write.scheduled)
            return "acknowledged"
        self._context.stats.failed("http", f"write: {answer.reason}")
        from_a_proxy = answer.status in _FROM_A_PROXY and not answer.code
        return "unknown" if from_a_proxy else "refused"

    def _unanswered(self, error: NoAnswerError) -> Outcome:
        """A proxy's own error or a silent end says nothing about what was executed; only `refused` does."""
        if error.kind in ("refused", "reset"):
            self._context.stats.failed("http", f"write: {error}")
            return "refused" if error.kind == "refused" else "unknown"
        self._context.stats.unknown("http", f"write: {error}")
        return "unknown"

    def _write(self, write_id: str, kind: str, item: Item, scheduled: float) -> Write:
        expected = "absent" if kind == "delete" else f"present:{write_id}"
        return Write(write_id, "http", kind, item.name, expected, scheduled)

    def _kept(self) -> bool:
        return self._context.chance.random() < _KEPT
