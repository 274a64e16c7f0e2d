"""Long-running work of a core and what it says about itself (clone-and-api.md 1.7). Lost when the core restarts."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Literal

import msgspec

from bmswitch.lab.services.errors import NotFound

TaskState = Literal["NotStarted", "InProgress", "InError", "Success"]
_KEEP_LOGS = 600.0  # seconds that a finished task keeps its lines
_KEEP = 4096
_LINES = 100_000


class TaskStatus(msgspec.Struct, frozen=True, rename="camel"):
    """As `GET /api/tasks/{id}` answers; progress numbers mean nothing for the clone."""

    steps: float
    progress: float
    last_log_entry: str | None
    state: TaskState
    result: str | None


class Task:
    """One task. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._state: TaskState = "NotStarted"
        self._result: str | None = None
        self._ended: float | None = None

    def log(self, line: str) -> None:
        """Add one line of log."""
        with self._lock:
            self._state = "InProgress" if self._state == "NotStarted" else self._state
            if len(self._lines) < _LINES:
                self._lines.append(line)

    def end(self, state: Literal["InError", "Success"], message: str = "", result: str | None = None) -> None:
        """Finish; a second time changes nothing."""
        with self._lock:
            if self._ended is None:
                self._state, self._result, self._ended = state, result, time.monotonic()
                if message:
                    self._lines.append(message)

    def status(self) -> TaskStatus:
        """Where the task stands."""
        with self._lock:
            last = self._lines[-1] if self._lines else None
            done = 1.0 if self._ended is not None else 0.0
            return TaskStatus(1.0, done, last, self._state, self._result)

    def lines(self, offset: int) -> list[str]:
        """Log lines from an offset on; none any more 10 minutes after the end."""
        with self._lock:
            if self._ended is not None and time.monotonic() - self._ended > _KEEP_LOGS:
                self._lines.clear()
            return self._lines[max(0, offset) :]


class Tasks:
    """All tasks of one core."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def start(self, work: Callable[[Task], None], name: str) -> Task:
        """Run `work` in a thread of its own; it ends the task itself, an exception ends it in error."""
        task = self._new()

        def run() -> None:
            try:
                work(task)
            except Exception as error:  # noqa: BLE001 - whatever went wrong is the task's outcome
                task.end("InError", f"{type(error).__name__}: {error}")
            else:
                task.end("Success")

        threading.Thread(target=run, name=name, daemon=True).start()
        return task

    def done(self, work: Callable[[], object], message: str = "") -> Task:
        """A task that is over when it is answered: short work that BlueMind does in the background."""
        task = self._new()
        work()
        task.end("Success", message)
        return task

    def get(self, task_id: str) -> Task:
        """One task. NotFound for an unknown id."""
        found = self._tasks.get(task_id)
        if found is None:
            raise NotFound(f"task {task_id} not found")
        return found

    def _new(self) -> Task:
        task = Task()
        self._tasks[task.id] = task
        while len(self._tasks) > _KEEP:
            self._tasks.pop(next(iter(self._tasks)))
        return task
