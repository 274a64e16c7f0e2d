"""Calls about what an installation runs on: planned jobs, search index, commands on a machine (clone-and-api.md 4.5).

A command is really run, as BlueMind's node agent does; but only programs that look, and `<etc_dir>/bin` comes first on the
path, where a lab without Postfix may have a `postqueue` of its own.
"""

import asyncio
import os

import msgspec

from bmswitch.lab.rest.router import Call, Router
from bmswitch.lab.services.errors import Invalid
from bmswitch.lab.services.shapes_directory import Job

_PROGRAMS = frozenset({"df", "grep", "postqueue"})
_WITHIN = 10.0


class CommandStatus(msgspec.Struct, frozen=True):
    """How a command ended; `output` is what it wrote, errors too."""

    complete: bool
    successful: bool
    output: list[str]


class Jobs(msgspec.Struct, frozen=True):
    """Answer of a search for jobs."""

    total: int
    values: list[Job]


class SimpleShardStats(msgspec.Struct, frozen=True, rename="camel"):
    """One index of mail."""

    index_name: str
    mailboxes: list[str]
    aliases: list[str]
    doc_count: int
    deleted_count: int
    external_refresh_count: int
    external_refresh_duration: int
    size: int


def add_routes(router: Router) -> None:
    """The three calls."""
    router.add("POST", "/api/scheduledjobs/_searchJob", _search_job)
    router.add("GET", "/api/mgmt/mailbox/{d}/liteStats", _lite_stats)
    router.add("POST", "/api/servers/{c}/{uid}/submit_command_and_wait", _run)


def _search_job(call: Call) -> Jobs:
    call.need_admin()
    found = [
        msgspec.json.decode(side.value, type=Job) for side in call.services.store.sides(type="job_plans")
    ]
    return Jobs(len(found), found)


def _lite_stats(call: Call) -> list[SimpleShardStats]:
    """One index, shared by all domains: a document for each mail body that a mailbox knows."""
    call.need_admin()
    call.services.platform.domain(call["d"])
    count = call.services.store.count_sides("message_bodies")
    return [SimpleShardStats("mailspool_1", [], [], count, 0, 0, 0, 0)]


async def _run(call: Call) -> CommandStatus:
    """Runs the command to its end, at most 10 s."""
    call.need_admin()
    argv = call.json(list[str])
    if call["uid"] not in {item.uid for item in call.services.platform.servers()}:
        raise Invalid(f"no server {call['uid']}")
    if not argv or argv[0] not in _PROGRAMS:
        return CommandStatus(complete=True, successful=False, output=[f"not in this lab: {argv[:1]}"])
    path = os.pathsep.join((str(call.services.site.etc / "bin"), os.environ.get("PATH", os.defpath)))
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PATH": path},
        )
        output, _ = await asyncio.wait_for(process.communicate(), _WITHIN)
    except (OSError, TimeoutError) as error:
        return CommandStatus(complete=True, successful=False, output=[f"{argv[0]}: {type(error).__name__}"])
    lines = output.decode("utf-8", "replace").splitlines()
    return CommandStatus(complete=True, successful=process.returncode == 0, output=lines)
