"""Reads planned jobs and the search index of a side. What it does not tell is told as an error."""

import contextlib

import msgspec

from bmswitch.bluemind.survey import Survey
from bmswitch.model.config import Config
from bmswitch.model.guards.facts import CLONING, RUNNING, SideFacts
from bmswitch.workflows.facts.attempt import quietly
from bmswitch.workflows.sites import open_survey

_TIMEOUT = 5.0


def with_survey(facts: SideFacts, config: Config, domains: list[str] | None) -> SideFacts:
    """The side with its planned jobs; with the size of its search index when `domains` are named (a clone does not tell them)."""
    if facts.core_error or facts.state not in {RUNNING, CLONING}:
        why = facts.core_error or f"its state is {facts.state}"
        return msgspec.structs.replace(facts, jobs_error=why, documents_error=why)
    with contextlib.closing(open_survey(config, facts.colour, timeout=_TIMEOUT)) as survey:
        nothing: dict[str, int] = {}
        jobs, jobs_error = quietly(survey.jobs, nothing)
        documents, error = (
            (-1, "not asked") if domains is None else quietly(lambda: _indexed(survey, domains), -1)
        )
    return msgspec.structs.replace(
        facts, jobs=jobs, jobs_error=jobs_error, documents=documents, documents_error=error
    )


def _indexed(survey: Survey, domains: list[str]) -> int:
    """Domains share indexes: the largest sum is all of them."""
    return max((survey.indexed(domain) for domain in domains), default=0)
