"""The stand-in installations of both sites: their site files, their operator's scripts, and their core processes."""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bmswitch.lab.site import S3, Seed, StandIn, save_site
from bmswitch.lab.supervisor import ports
from bmswitch.lab.supervisor.alive import boot_id, start_ticks
from bmswitch.lab.supervisor.layout import (
    ADDRESSES,
    BUCKET,
    SERVER_UID,
    SHARED_ADDRESS,
    VERSIONS,
    Layout,
    write_private,
)
from bmswitch.lab.supervisor.process import Process, marks, stop, tail, wait_until
from bmswitch.lab.supervisor.state import State
from bmswitch.model.config import Colour
from bmswitch.model.errors import LabError

START_TIMEOUT = 60.0
LOG_TIMEOUT = 900.0
STOP_TIMEOUT = 15.0

_HEAD = """#!/bin/sh
# {what}
set -u
site={site}
pidfile={pidfile}
pid=""
running() {{ # only if that process is this very core: a reused pid is somebody else
    pid=$(cat "$pidfile" 2>/dev/null) && [ -n "$pid" ] && grep -aqF -- "$site" "/proc/$pid/cmdline" 2>/dev/null
}}
"""

_START = """rm -f {disabled}
running && exit 0
{environment} setsid {python} -m bmswitch.lab.core "$site" </dev/null >>{log} 2>&1 &
exec {python} -m bmswitch.lab.supervisor.wait_rest {address} {port} $! {timeout}
"""

_STOP = """running || exit 0
kill -TERM "$pid" || exit 0
tries=0
while running; do
    tries=$((tries + 1))
    if [ "$tries" -gt {tries} ]; then
        echo "core $pid did not stop within {seconds} s" >&2
        exit 1
    fi
    sleep 0.02
done
"""

_KICK = """running || exit 0
umask 077
[ $# -lt 2 ] || {{ printf '%s %s\n' "$1" "$2" >{kick}.$$ && mv {kick}.$$ {kick}; }}
kill -USR1 "$pid"
"""


def name(colour: Colour) -> str:
    """Name of the part."""
    return f"{colour}-core"


def site_of(layout: Layout, state: State, colour: Colour) -> StandIn:
    """What one core is started with. A clone starts empty: it fills itself from the log."""
    first = colour == "blue" and colour not in state.rebuilt
    seed = (
        Seed(domain=state.domain, users=state.users, items=state.items) if first and not state.log else None
    )
    return StandIn(
        name=colour,
        version=VERSIONS[colour],
        installation_id=state.installation_id,
        server_uid=SERVER_UID,
        address=ADDRESSES[colour],
        http_port=state.ports[f"{colour}_http"],
        imap_port=state.ports[f"{colour}_imap"],
        smtp_port=state.ports[f"{colour}_smtp"],
        kafka_bootstrap=state.bootstraps[colour],
        data_dir=str(layout.site(colour) / "data"),
        etc_dir=str(layout.site(colour) / "etc"),
        s3=S3(
            endpoint=f"http://{SHARED_ADDRESS}:{state.ports['s3']}",
            access_key_file=str(layout.secret("s3.access")),
            secret_key_file=str(layout.secret("s3.secret")),
            bucket=BUCKET,
        ),
        seed=seed,
        log=state.log or None if first else None,
        token_file=str(layout.secret(f"{colour}.token")),
        latch=str(layout.kafka / "leader") if state.mode == "shared" else "",
    )


def write_sites(layout: Layout, state: State) -> None:
    """Both site files and the scripts beside them."""
    for colour in ADDRESSES:
        save_site(site_of(layout, state, colour), layout.site_file(colour))
        _write_scripts(layout, state, colour)


def make_installed(layout: Layout, colour: Colour) -> None:
    """An installed machine has its admin token in /etc/bm; the operator has the same one."""
    token = layout.secret(f"{colour}.token").read_text()
    write_private(layout.site(colour) / "etc" / "bm-core.tok", token)


def begin(layout: Layout, colour: Colour, *, timeout: float = START_TIMEOUT) -> "subprocess.Popen[str]":
    """Runs start-core without waiting for it."""
    environment = os.environ | {"BMSWITCH_START_TIMEOUT": str(timeout)}
    script = str(layout.script(colour, "start-core"))
    return subprocess.Popen(
        [script], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(
    layout: Layout, colour: Colour, begun: "subprocess.Popen[str]", *, timeout: float = START_TIMEOUT
) -> Process:
    """Waits until its REST API answers; LabError with the last lines of its log when it does not."""
    try:
        _, errors = begun.communicate(timeout=timeout + 5.0)
    except subprocess.TimeoutExpired:
        begun.kill()
        _, errors = begun.communicate()
    process = running(layout, colour)
    if begun.returncode or process is None:
        raise LabError(
            f"{colour}'s core did not start: {errors.strip() or 'it stopped'}",
            evidence=tail(layout.log(name(colour))),
            consequence="the other parts run on",
            next_command=f"read {layout.log(name(colour))}, then bmswitch lab up again, or bmswitch lab down",
        )
    return process


def start(layout: Layout, state: State, colour: Colour, *, timeout: float = START_TIMEOUT) -> Process:
    """Starts a core that does not run, through its own script, and waits for it."""
    found = running(layout, colour)
    if found is not None:
        return found
    require_ports(state, colour)
    return finish(layout, colour, begin(layout, colour, timeout=timeout), timeout=timeout)


def require_ports(state: State, colour: Colour) -> None:
    """LabError when somebody else listens where the core must."""
    for protocol in ("http", "imap", "smtp"):
        ports.require_free(name(colour), ADDRESSES[colour], state.ports[f"{colour}_{protocol}"])


def running(layout: Layout, colour: Colour) -> Process | None:
    """The core's process, if it runs."""
    try:
        pid = int(layout.core_pid(colour).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    ticks = start_ticks(pid)
    if ticks is None or str(layout.site_file(colour)).encode() not in command:
        return None
    return Process(name(colour), pid, ticks, boot_id())


def stop_core(layout: Layout, colour: Colour) -> bool:
    """Stops it as an operator would, then by force; False when it did not run."""
    process = running(layout, colour)
    if process is None:
        return False
    if not stop(process, grace=STOP_TIMEOUT):
        raise LabError(f"{colour}'s core can not be stopped", evidence=f"process {process.pid}")
    return True


def kill_core(layout: Layout, colour: Colour) -> bool:
    """SIGKILL, as a power cut would: what its producer still holds is lost. False when it did not run."""
    process = running(layout, colour)
    if process is None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.running, STOP_TIMEOUT)
    return True


def wipe(layout: Layout, colour: Colour) -> None:
    """A fresh machine: neither store nor /etc/bm."""
    for folder in ("data", "etc"):
        shutil.rmtree(layout.site(colour) / folder, ignore_errors=True)
        (layout.site(colour) / folder).mkdir()


def is_fenced(layout: Layout, colour: Colour) -> bool:
    """Whether it was demoted and stopped on purpose: such a core is not started by `lab up`."""
    return (layout.site(colour) / "etc" / "bm-core.disabled").exists()


def make_secret(path: Path, text: str = "") -> str:
    """Reads a secret, or makes it: 40 hexadecimal digits unless told otherwise."""
    if not path.exists():
        write_private(path, (text or secrets.token_hex(20)) + "\n")
    return path.read_text().strip()


def _write_scripts(layout: Layout, state: State, colour: Colour) -> None:
    quoted = {
        "site": shlex.quote(str(layout.site_file(colour))),
        "pidfile": shlex.quote(str(layout.core_pid(colour))),
        "kick": shlex.quote(str(layout.site(colour) / "data" / "kick")),
        "disabled": shlex.quote(str(layout.site(colour) / "etc" / "bm-core.disabled")),
        "log": shlex.quote(str(layout.log(name(colour)))),
        "python": shlex.quote(sys.executable),
        "environment": " ".join(f"{k}={shlex.quote(v)}" for k, v in marks(layout, name(colour)).items()),
        "address": ADDRESSES[colour],
        "port": state.ports[f"{colour}_http"],
        "timeout": f'"${{BMSWITCH_START_TIMEOUT:-{START_TIMEOUT:g}}}"',
        "tries": int(STOP_TIMEOUT / 0.02),
        "seconds": f"{STOP_TIMEOUT:g}",
    }
    bodies = {
        "start-core": (
            f"Starts {colour}'s core, as `systemctl start bm-core` would; returns when REST answers.",
            _START,
        ),
        "stop-core": (f"Stops {colour}'s core and returns when it is gone.", _STOP),
        "kick-sessions": (
            f"Ends kept sessions of {colour} politely, all or KIND AT_MOST; returns at once.",
            _KICK,
        ),
    }
    for script, (what, body) in bodies.items():
        text = (_HEAD + body).format(what=what, **quoted)
        write_private(layout.script(colour, script), text, mode=0o700)
