"""Green's native clone: asked for once, then watched. What its task says is never believed, only what it fears.

`Success` and a RUNNING green are failures here: a TAIL clone ends only by promotion (clone-and-api.md 1.3, 1.8).
"""

from pathlib import Path

from bmswitch.bluemind.client import CloneRequest, Core
from bmswitch.bluemind.redact import redact
from bmswitch.model.errors import BmswitchError, CloneError, RefusedError, UnknownError, UnreachableError
from bmswitch.replication.state import CloneState, load_clone, save_clone

CLONING = "CORE_STATE_CLONING"
RUNNING = "CORE_STATE_RUNNING"
DEMOTED = "CORE_STATE_DEMOTED"
_LOG_LINES = 5
_REBUILD = "build green anew (`bmswitch provision`) and replicate again: a clone is not resumed safely"


class CloneWatch:
    """One clone. `task` is its id, empty when the answer to our call was never seen."""

    def __init__(self, green: Core, run_dir: Path, request: CloneRequest) -> None:
        self._green, self._run_dir, self._request = green, run_dir, request
        self._log_at = 0
        self.task = ""

    def ensure(self) -> None:
        """Asks for the clone, or joins the one that this run folder asked for. Raises RefusedError or CloneError."""
        state = self._green.state()
        if state != CLONING:
            raise RefusedError(
                f"{self._green.name} does not wait for a clone: its state is {state}",
                next_command="bmswitch provision" if state.endswith("NOT_INSTALLED") else _REBUILD,
            )
        known = load_clone(self._run_dir)
        if known is not None and known.green_url == self._green.url:
            self.task = known.task
            self.check()
            return
        save_clone(self._run_dir, CloneState(self._green.url, ""))
        self.task = self._green.clone(self._request)
        save_clone(self._run_dir, CloneState(self._green.url, self.task))

    def check(self) -> None:
        """Raises CloneError when the task ended or is lost. A green that does not answer now is asked again later."""
        if not self.task:
            return
        try:
            status = self._green.task(self.task)
        except UnreachableError:
            return
        except UnknownError as error:
            raise CloneError(
                f"{self._green.name}'s clone is lost: its core does not know the task any more",
                evidence=error.evidence,
                next_command=_REBUILD,
            ) from error
        if status.state in ("InError", "Success"):
            raise self.failed(
                f"{self._green.name}'s clone ended before the switch: its task says {status.state}"
            )

    def failed(self, cause: str) -> CloneError:
        """The error with the last lines of the task's log (without secrets)."""
        try:
            lines = self._green.task_logs(self.task, 0) if self.task else []
        except BmswitchError:
            lines = []
        told = [redact(line, *self._request.sysconf_override.values()) for line in lines[-_LOG_LINES:]]
        return CloneError(
            cause,
            evidence=" | ".join(told) or "its log says nothing",
            consequence="traffic was not touched",
            next_command=_REBUILD,
        )
