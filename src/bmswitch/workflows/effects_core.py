"""Effects on the two cores: each reads first, acts only if needed, and believes what it reads back, not the answer."""

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from bmswitch.bluemind.client import Core
from bmswitch.kafka.topics import Topics
from bmswitch.model.barrier import new_nonce
from bmswitch.model.errors import BmswitchError, RefusedError, UnreachableError
from bmswitch.model.partition import partition_of
from bmswitch.model.records import SEPPUKU_UID
from bmswitch.model.switch import Result
from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT, UNKNOWN
from bmswitch.workflows.barrier import wait_barrier, write_barrier

PREFIX = "CORE_STATE_"
LINGER = 0.25
"""Seconds for which blue's producer keeps a record back (clone-and-api.md 2.7)."""

_STILL = 0.02
_POLL = 0.01
_CONNECT = 0.5


def state_of(core: Core) -> str:
    """The core's state without its prefix; `silent` when it does not answer, `unknown` when it is not understood.

    A port that refuses connections is told at once: a client that tries again would cost time inside the hold.
    """
    if _refuses(core.url):
        return SILENT
    try:
        return core.state().removeprefix(PREFIX)
    except UnreachableError:
        return SILENT
    except BmswitchError:
        return UNKNOWN


def _refuses(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def left(deadline: float) -> float:
    """Seconds to a monotonic deadline, at least 50 ms so that one try is made."""
    return max(0.05, deadline - time.monotonic())


def until(wanted: str, core: Core, deadline: float) -> Result:
    """Waits until the core is read in a state."""
    while True:
        seen = state_of(core)
        if seen == wanted:
            return Result(answer="yes")
        if time.monotonic() >= deadline:
            return Result(answer="unknown", said=f"{core.name} is {seen}, expected {wanted}")
        time.sleep(_POLL)


def barrier(source: Core, domains: list[str]) -> Result:
    """Writes one nonce per partition on the source; `passed` waits for them on the target.

    The nonce is in the facts. The source's producer keeps it back for `LINGER`, as it does with the farewell: so both are
    waited for together, after the demotion (docs/decisions/0005).
    """
    nonce = new_nonce()
    write_barrier(source, domains, nonce)
    return Result(answer="yes", facts={"nonce": nonce})


def passed(target: Core, domains: list[str], barrier: Result | None, deadline: float) -> Result:
    """Waits until the target shows every nonce of a barrier that was written."""
    nonce = str(barrier.facts.get("nonce", "")) if barrier and barrier.answer == "yes" else ""
    if not nonce:
        return Result(answer="unknown", said="no barrier was written")
    waited = wait_barrier(target, domains, nonce, timeout=left(deadline), poll=_POLL)
    return Result(answer="yes", facts={"barrier_ms": int(waited * 1000)})


def demote(core: Core, deadline: float) -> Result:
    """The leader steps down. There is no other answer than its state (clone-and-api.md 2.5)."""
    if state_of(core) == DEMOTED:
        return Result(answer="yes", said="was demoted already")
    refused = ""
    try:
        core.demote(timeout=left(deadline))
    except RefusedError as error:
        refused = error.cause
    except BmswitchError as error:
        return _read_back(until(DEMOTED, core, deadline), error.cause)
    result = until(DEMOTED, core, deadline)
    return Result(answer="no", said=refused) if refused and result.answer != "yes" else result


def promote(core: Core, deadline: float) -> Result:
    """The clone becomes the leader. `no` only when it said so itself and is a clone still."""
    if state_of(core) == RUNNING:
        return Result(answer="yes", said="was promoted already")
    refused = ""
    try:
        core.promote(timeout=left(deadline))
    except RefusedError as error:
        refused = f"{error.cause} {error.evidence}".strip()
    except BmswitchError as error:
        return _read_back(until(RUNNING, core, deadline), error.cause)
    if refused and state_of(core) == CLONING:
        return Result(answer="no", said=refused)
    return until(RUNNING, core, deadline)


def _read_back(result: Result, cause: str) -> Result:
    return result if result.answer == "yes" else Result(answer="unknown", said=f"{cause}; {result.said}")


def probe(core: Core, domain: str) -> Result:
    """An item write is accepted and shown: RUNNING alone does not prove leadership (clone-and-api.md 2.3)."""
    try:
        core.probe_write(domain)
    except RefusedError as error:
        return Result(answer="no", said=f"{error.cause} {error.evidence}".strip())
    return Result(answer="yes")


def logged(topics: Topics, known: dict[str, list[int]], deadline: float) -> Result:
    """The log has grown beyond what is known: what a new leader writes really comes to the log that both sides use.

    A right that was given back is not in force at once everywhere, and a core does not say when Kafka refuses its records.
    """
    counts = {name: len(ends) for name, ends in known.items()}
    before = total(known)
    while True:
        if total(topics.ends(counts)) > before:
            return Result(answer="yes")
        if time.monotonic() >= deadline:
            said = "it accepts writes, and the log does not grow: may its core write there, does it lead?"
            return Result(answer="no", said=said)
        time.sleep(_STILL)


class Farewell:
    """Blue's log after its demotion: it must end with the Seppuku record and then stand still.

    `before` is read before the demotion; a leader's farewell makes one partition of one domain's topic grow. A core
    that was not the leader writes none (clone-and-api.md 2.2, step 6): then somebody else may lead.
    """

    def __init__(self, topics: Topics, counts: dict[str, int]) -> None:
        self._topics = topics
        self._counts = counts
        self._before: dict[str, list[int]] | None = None

    def mark(self) -> None:
        """Remembers the ends as they are before the demotion."""
        self._before = self._topics.ends(self._counts)

    def settle(self, demoted_at: float, deadline: float) -> tuple[Result, dict[str, list[int]]]:
        """Two equal reads, the first at least the linger time after the demotion; and the ends."""
        time.sleep(max(0.0, min(demoted_at + LINGER, deadline) - time.monotonic()))
        begun, reads = time.monotonic(), 1
        ends = self._topics.ends(self._counts)
        while True:
            time.sleep(_STILL)
            reads += 1
            again = self._topics.ends(self._counts)
            if again == ends and self._said_goodbye(ends):
                return Result(
                    answer="yes",
                    facts={
                        "position": total(ends),
                        "reads": reads,
                        "still_ms": int((time.monotonic() - begun) * 1000),
                    },
                ), ends
            if time.monotonic() >= deadline:
                why = "still grows" if again != ends else "has no farewell: it may not have been the leader"
                return Result(answer="unknown", said=f"the source's log {why}"), again
            ends = again

    def _said_goodbye(self, ends: dict[str, list[int]]) -> bool:
        if self._before is None:
            return True
        return any(
            ends[name][partition_of(SEPPUKU_UID, count)]
            > self._before[name][partition_of(SEPPUKU_UID, count)]
            for name, count in self._counts.items()
        )


def total(ends: dict[str, list[int]]) -> int:
    """All end offsets as one number: it grows with any record."""
    return sum(sum(offsets) for offsets in ends.values())


def stop_core(core: Core, command: Callable[[], Result], deadline: float) -> Result:
    """The command says that it is stopped, and nobody answers any more."""
    done = command()
    if done.answer != "yes":
        return Result(answer="unknown", said=done.said, facts=done.facts)
    gone = until(SILENT, core, min(deadline, time.monotonic() + 2.0))
    return gone if gone.answer != "yes" else done


def start_core(core: Core, command: Callable[[], Result], deadline: float) -> Result:
    """The command ends, and the core is read RUNNING."""
    done = command()
    if done.answer == "no":
        return done
    return until(RUNNING, core, deadline)
