"""What guards ask of an installation beside its state: planned jobs, its search index, its machines (clone-and-api.md 4.5).

Read only. A command on a machine is sent through BlueMind's own node agent, and is one that only looks.
"""

import msgspec

from bmswitch.bluemind.transport import Transport, path
from bmswitch.bluemind.types import Wire
from bmswitch.model.errors import UnknownError

_LONGEST = 2000


class _Plan(Wire, frozen=True, kw_only=True, rename="camel"):
    """When a job runs for one domain; dates are epoch milliseconds."""

    next_run: int | None = None


class _Job(Wire, frozen=True, kw_only=True, rename="camel"):
    """One planned job (record-types.json, job_plans)."""

    id: str
    domain_planification: list[_Plan] = msgspec.field(default_factory=list)


class _Jobs(Wire, frozen=True, kw_only=True, rename="camel"):
    """Answer of a search for jobs."""

    values: list[_Job] = msgspec.field(default_factory=list)


class _Shard(Wire, frozen=True, kw_only=True, rename="camel"):
    """One index of mail: how many documents are in it."""

    doc_count: int | None = None


class Done(Wire, frozen=True, kw_only=True, rename="camel"):
    """How a command on a machine ended; `successful` is false for any exit but 0."""

    complete: bool = False
    successful: bool = False
    output: list[str] | str = ""

    @property
    def text(self) -> str:
        """What it wrote."""
        return self.output if isinstance(self.output, str) else "\n".join(self.output)


class Survey:
    """Looks at one installation. `timeout` (seconds) bounds each call. Raises as `Core` does."""

    def __init__(self, url: str, token: str, *, verify: bool | str, name: str, timeout: float) -> None:
        self.name = name
        self._http = Transport(url, token, verify=verify, name=name, timeout=timeout)

    def close(self) -> None:
        """Frees the sockets."""
        self._http.close()

    def jobs(self) -> dict[str, int]:
        """Planned jobs and when each runs next (epoch milliseconds, the soonest of its domains)."""
        found = self._http.read("/api/scheduledjobs/_searchJob", {}, _Jobs)
        return {
            job.id: min(times)
            for job in found.values
            if (times := [plan.next_run for plan in job.domain_planification if plan.next_run])
        }

    def indexed(self, domain: str) -> int:
        """Documents in the mail indexes that a domain uses."""
        where = path("api", "mgmt", "mailbox", domain, "liteStats")
        shards = self._http.get(where, list[_Shard])
        if any(shard.doc_count is None for shard in shards):
            raise UnknownError(f"{self.name} does not count the documents of its search index")
        return sum(shard.doc_count or 0 for shard in shards)

    def run(self, uid: str, argv: list[str]) -> Done:
        """Runs a command that only looks on one machine and waits for it."""
        where = path("api", "servers", "default", uid, "submit_command_and_wait")
        done = self._http.read(where, argv, Done)
        if not done.complete:
            raise UnknownError(
                f"a command on {self.name}'s machine {uid} did not end",
                evidence=f"{argv[0]}: {self._http.redact(done.text[:_LONGEST])}",
            )
        return msgspec.structs.replace(done, output=self._http.redact(done.text[:_LONGEST]))
