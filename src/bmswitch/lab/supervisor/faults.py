"""What a lab is told to do to its installations: build green, stop, start or kill a core, show a documented defect."""

from pathlib import Path

import msgspec

from bmswitch.lab.site import DEFECTS
from bmswitch.lab.supervisor import cores
from bmswitch.lab.supervisor.layout import Layout, write_private
from bmswitch.lab.supervisor.process import Process
from bmswitch.lab.supervisor.state import locked, require_state, write_state
from bmswitch.lab.supervisor.up import core_address, core_limit, explained_disk, record
from bmswitch.lab.supervisor.up import load_log as load
from bmswitch.model.config import Colour
from bmswitch.model.errors import LabError


class Done(msgspec.Struct, frozen=True):
    """One sentence about what was done; `changed` is false when it was so already."""

    part: str
    changed: bool
    text: str


def standby_up(layout: Layout, colour: Colour) -> Done:
    """Starts a core that is not installed and told to become a clone of the other. Changes nothing when it runs.

    A core that was demoted and stopped served before: its machine is emptied first, as a clone over old data fails
    (clone-and-api.md 1.8). The setup that an operator uses leaves the id to adopt in `/etc/bm/mcast.id.clone` (1.1).
    """
    etc = layout.site(colour) / "etc"
    state = require_state(layout)
    if cores.running(layout, colour) is not None:
        return core_start(layout, colour)
    if cores.is_fenced(layout, colour):
        with locked(layout):
            cores.wipe(layout, colour)
            state.rebuilt = sorted({*state.rebuilt, colour})
            write_state(layout, state)
            cores.write_sites(layout, state)
    if not (etc / "mcast.id").exists():
        etc.mkdir(parents=True, exist_ok=True)
        write_private(etc / "mcast.id.clone", state.installation_id.removeprefix("bluemind-"))
    return core_start(layout, colour)


def standby_down(layout: Layout, colour: Colour) -> Done:
    """Stops a core and empties its machine; its Kafka keeps what it has."""
    state = require_state(layout)
    with locked(layout):
        stopped = cores.stop_core(layout, colour)
        cores.wipe(layout, colour)
        state.parts = {name: part for name, part in state.parts.items() if name != cores.name(colour)}
        write_state(layout, state)
    return Done(cores.name(colour), stopped, f"{colour}'s core is stopped and its machine is empty")


def core_start(layout: Layout, colour: Colour) -> Done:
    """Starts one core with its own script."""
    state = require_state(layout)
    with explained_disk(layout), locked(layout):
        before = cores.running(layout, colour)
        process = before or cores.start(layout, state, colour)
        record(layout, state, process, core_address(state, colour))
    what = "runs already" if before else "runs"
    return Done(
        process.name,
        before is None,
        f"{colour}'s core {what} on {core_address(state, colour)} ({process.pid})",
    )


def core_stop(layout: Layout, colour: Colour) -> Done:
    """Stops one core as an operator would: it flushes what its producer holds."""
    require_state(layout)
    stopped = cores.stop_core(layout, colour)
    return Done(
        cores.name(colour), stopped, f"{colour}'s core " + ("is stopped" if stopped else "did not run")
    )


def core_kill(layout: Layout, colour: Colour) -> Done:
    """SIGKILL to one core, as a power cut: what its producer still holds is lost."""
    require_state(layout)
    killed = cores.kill_core(layout, colour)
    return Done(cores.name(colour), killed, f"{colour}'s core " + ("was killed" if killed else "did not run"))


def defect(layout: Layout, name: str, colour: Colour, *, on: bool) -> Done:
    """Switches one of BlueMind's documented defects on or off; a running core obeys at once."""
    require_state(layout)
    if name not in DEFECTS:
        raise LabError(f"there is no defect {name}", evidence="known: " + ", ".join(sorted(DEFECTS)))
    path = layout.site(colour) / "etc" / "defects"
    before = set(path.read_text().split()) if path.exists() else set()
    after = before | {name} if on else before - {name}
    write_private(path, "".join(f"{one}\n" for one in sorted(after)))
    return Done(colour, before != after, f"{colour} shows: " + (", ".join(sorted(after)) or "no defect"))


def load_log(layout: Layout, folder: Path) -> Done:
    """Blue becomes the installation of a real log: its store is wiped, the log loaded, its core started again.

    Green is emptied too, as it would be a copy of the former blue.
    """
    from bmswitch.lab.supervisor import config_file, real_log  # noqa: PLC0415 -- only here

    state = require_state(layout)
    installation = real_log.installation_of(folder)
    standby_down(layout, "green")
    with explained_disk(layout), locked(layout):
        state = require_state(layout)
        cores.stop_core(layout, "blue")
        cores.wipe(layout, "blue")
        cores.make_installed(layout, "blue")
        state.log, state.installation_id, state.loaded = str(folder.resolve()), installation, False
        state.domain = real_log.domain_of(folder)
        write_state(layout, state)
        cores.write_sites(layout, state)
        config_file.write_config(layout, state)
        load(layout, state)
        process: Process = cores.start(layout, state, "blue", timeout=core_limit(state))
        record(layout, state, process, core_address(state, "blue"))
    return Done("blue-core", changed=True, text=f"blue is {installation} with the domain {state.domain}")
