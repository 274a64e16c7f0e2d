"""State of a core: which calls it takes and whether it leads (clone-and-api.md 1.5, change-log.md 1.6).

Invariant: `writable` is True only for the leader outside DEMOTED, or while CLONING; `publishing` only for the leader.
There is no ZooKeeper here. A core that has its Kafka for itself leads when it applies. Where both sites share one Kafka they have
one latch: a locked file, which the death of its holder sets free as it does ZooKeeper's node (clone-and-api.md 2.1).
"""

import fcntl
import os
from collections.abc import Callable
from enum import StrEnum

from bmswitch.lab.services.errors import Fault
from bmswitch.lab.site import StandIn


class SystemState(StrEnum):
    """BlueMind's states, as `GET state` answers them."""

    STARTING = "CORE_STATE_STARTING"
    RUNNING = "CORE_STATE_RUNNING"
    MAINTENANCE = "CORE_STATE_MAINTENANCE"
    DEMOTED = "CORE_STATE_DEMOTED"
    NOT_INSTALLED = "CORE_STATE_NOT_INSTALLED"
    UPGRADE = "CORE_STATE_UPGRADE"
    CLONING = "CORE_STATE_CLONING"
    STOPPING = "CORE_STATE_STOPPING"
    UNKNOWN = "CORE_STATE_UNKNOWN"


_ALLOWED: dict[SystemState, frozenset[SystemState]] = {
    SystemState.STARTING: frozenset({SystemState.NOT_INSTALLED, SystemState.CLONING, SystemState.RUNNING}),
    SystemState.NOT_INSTALLED: frozenset({SystemState.CLONING, SystemState.RUNNING}),
    SystemState.CLONING: frozenset({SystemState.RUNNING, SystemState.CLONING}),
    SystemState.RUNNING: frozenset({SystemState.DEMOTED, SystemState.MAINTENANCE, SystemState.RUNNING}),
    SystemState.MAINTENANCE: frozenset({SystemState.RUNNING}),
    SystemState.DEMOTED: frozenset({SystemState.DEMOTED}),
}


class State:
    """State, leadership and the pause switch of one core. Listeners hear every change, in the thread that made it."""

    def __init__(self, site: StandIn) -> None:
        self._latch = site.latch
        self._held = -1
        self._applied = False
        self._clone_marker = str(site.clone_marker)
        self._fork_marker = str(site.fork_marker)
        self._state = SystemState.STARTING
        self._listeners: list[Callable[[SystemState], None]] = []
        self.leader = False
        self.paused = False

    def apply(self) -> bool:
        """Stands for election; True when it leads. Who is not elected waits behind the leader: `elect`."""
        self._applied = True
        return self.elect()

    def elect(self) -> bool:
        """Takes the latch when it is free and this core has applied for it. BlueMind waits up to 40 s in `_promote`; here nobody waits."""
        if not self._applied or self.leader:
            return self.leader
        if self._latch and self._held < 0:
            held = os.open(self._latch, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                return False
            self._held = held
        self.leader = True
        return True

    def release(self) -> None:
        """Lets leadership go, for good."""
        self.leader = self._applied = False
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    @property
    def current(self) -> SystemState:
        """The state now."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether clients are served."""
        return self._state is SystemState.RUNNING

    @property
    def cloning(self) -> bool:
        """Whether a clone is being made of another installation."""
        return self._state is SystemState.CLONING

    @property
    def writable(self) -> bool:
        """The fence of item and container writes."""
        if self._state is SystemState.DEMOTED:
            return False
        return self.leader or self.cloning

    @property
    def publishing(self) -> bool:
        """Whether records go to Kafka: leader, no clone marker (unless a fork), not paused."""
        if not self.leader or self.paused:
            return False
        return not os.path.exists(self._clone_marker) or os.path.exists(self._fork_marker)  # noqa: PTH110 - for each record

    def listen(self, listener: Callable[[SystemState], None]) -> None:
        """Hear each change of state."""
        self._listeners.append(listener)

    def change(self, wanted: SystemState) -> None:
        """Go to another state. Fault when BlueMind has no such transition; STOPPING is always allowed."""
        if wanted is not SystemState.STOPPING and wanted not in _ALLOWED.get(self._state, frozenset()):
            raise Fault(f"no transition from {self._state} to {wanted}")
        self._state = wanted
        for listener in self._listeners:
            listener(wanted)
