"""Asks the machines of the source through BlueMind's node agent (clone-and-api.md 4.5): core log, mail queue.

Each command only looks, and is bounded: a count of lines, the list of a queue.
"""

import contextlib
import re
from concurrent.futures import Executor

import msgspec

from bmswitch.bluemind.survey import Survey
from bmswitch.model.config import Config
from bmswitch.model.errors import UnknownError
from bmswitch.model.guards.facts import RUNNING, MachineFacts, SideFacts
from bmswitch.workflows.facts.attempt import quietly
from bmswitch.workflows.sites import open_survey

_TIMEOUT = 10.0
_LOST = "Failed to store|Could not store"
_TAGS = {"lost": "bm/core", "queued": "mail/smtp"}
_QUEUED = re.compile(r"in (\d+) Requests?")


def machine_facts(config: Config, pool: Executor, side: SideFacts) -> list[MachineFacts]:
    """The machines that run a core or Postfix, asked side by side; none when the core does not answer or this is switched off."""
    if side.core_error or side.state != RUNNING or not config.site(side.colour).machines.ask:
        return []

    def look(one: tuple[str, list[str]]) -> MachineFacts:
        uid, tags = one
        with contextlib.closing(open_survey(config, side.colour, timeout=_TIMEOUT)) as survey:
            return _look(survey, side, uid, tags, config.site(side.colour).machines.core_log)

    return list(pool.map(look, sorted(side.tags.items())))


def _look(survey: Survey, side: SideFacts, uid: str, tags: list[str], log_file: str) -> MachineFacts:
    facts = MachineFacts(colour=side.colour, uid=uid)
    if _TAGS["lost"] in tags:
        lost, error = quietly(lambda: _lost(survey, uid, log_file), -1)
        facts = msgspec.structs.replace(facts, lost=lost, error=error)
    if _TAGS["queued"] in tags:
        queued, error = quietly(lambda: _queued(survey, uid), -1)
        both = "; ".join(dict.fromkeys(filter(None, (facts.error, error))))
        facts = msgspec.structs.replace(facts, queued=queued, error=both)
    return facts


def _lost(survey: Survey, uid: str, log_file: str) -> int:
    """Lines about a record that was not stored; grep counts and ends with 1 when there is none."""
    told = survey.run(uid, ["grep", "-c", "-E", _LOST, log_file]).text.strip()
    if not told.isdecimal():
        raise UnknownError("the core log can not be searched", evidence=told[:200])
    return int(told)


def _queued(survey: Survey, uid: str) -> int:
    """Mails in Postfix's queue: its listing ends with their number, or says that it is empty."""
    told = survey.run(uid, ["postqueue", "-p"]).text.strip()
    if "queue is empty" in told:
        return 0
    found = _QUEUED.search(told.rsplit("\n", 1)[-1])
    if found is None:
        raise UnknownError("the mail queue can not be read", evidence=told[-200:])
    return int(found[1])
