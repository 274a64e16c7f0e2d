"""Makes a lab, or starts what is missing of one."""

import errno
import functools
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bmswitch.lab.supervisor import (
    config_file,
    cores,
    crp,
    kafka_apache,
    kafka_embedded,
    ports,
    programs,
    proxy,
    s3,
)
from bmswitch.lab.supervisor.layout import ADDRESSES, COLOURS, SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, marked, recorded, stop
from bmswitch.lab.supervisor.s3 import S3Kind
from bmswitch.lab.supervisor.state import (
    KafkaKind,
    Mode,
    PartRecord,
    ProxyKind,
    State,
    kafkas,
    locked,
    read_state,
    write_state,
)
from bmswitch.model.config import Colour
from bmswitch.model.errors import LabError

_ROOM = 200 << 20  # bytes that must be free on the disk before anything starts
_PORTS = {
    **{
        f"{colour}_{protocol}": ADDRESSES[colour]
        for colour in COLOURS
        for protocol in ("http", "imap", "smtp")
    },
    **dict.fromkeys(("proxy_http", "proxy_imap", "proxy_smtp", "proxy_admin", "s3"), SHARED_ADDRESS),
}
_APACHE_PORTS = {f"{c}_kafka{suffix}": SHARED_ADDRESS for c in COLOURS for suffix in ("", "_controller")}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asked for; None: as the lab is, or the default for a new one."""

    kafka: KafkaKind | None = None
    mode: Mode | None = None
    s3: S3Kind | None = None
    proxy: ProxyKind | None = None
    users: int | None = None
    items: int | None = None
    log: str | None = None


class UpResult(msgspec.Struct, frozen=True):
    """What `lab up` did: names of the parts that it started and of those that ran already."""

    directory: str
    config: str
    created: bool
    started: list[str]
    running: list[str]
    fenced: list[str]


class _Starting(msgspec.Struct, frozen=True):
    """A part on its way: `finish` waits for it and gives its process and shown address."""

    name: str
    finish: Callable[[], tuple[Process, str]]


def up(layout: Layout, wanted: Wanted) -> UpResult:
    """Starts every part that does not run and returns when all are ready.

    Raises:
        LabError: a part is missing, its port is taken, it dies or is late; the disk is full; the lab was made otherwise.
    """
    programs.require_python()
    with explained_disk(layout), locked(layout):
        state = read_state(layout)
        created = state is None
        if state is None:
            state = _new_state(layout, wanted)
        else:
            _require_same(state, wanted)
        alive = _known(layout, state)
        _refuse_lost_kafka(state, alive, created=created)
        fenced = [cores.name(c) for c in COLOURS if cores.is_fenced(layout, c) and cores.name(c) not in alive]
        started = _start_missing(layout, state, set(alive))
        return UpResult(str(layout.root), str(layout.config), created, started, sorted(alive), fenced)


def expected_parts(state: State) -> list[str]:
    """Names of all parts in the order in which they start; green's core only when it was provisioned."""
    brokers = [kafka_embedded.name(colour) for colour in kafkas(state)]
    beside = [crp.NAME] if state.mode == "shared" else []
    green = [cores.name("green")] if cores.name("green") in state.parts else []
    return [*brokers, s3.NAME, *proxy.names(state.proxy), *beside, cores.name("blue"), *green]


def running_parts(layout: Layout, state: State) -> dict[str, Process]:
    """The parts that run now."""
    found: dict[str, Process] = {}
    for name in expected_parts(state):
        colour: Colour | None = next((c for c in COLOURS if cores.name(c) == name), None)
        process = cores.running(layout, colour) if colour else recorded(layout, name)
        if process is not None:
            found[name] = process
    return found


def record(layout: Layout, state: State, process: Process, address: str) -> None:
    """Notes a started part in `state.json`."""
    log = str(layout.log(process.name).relative_to(layout.root))
    state.parts = state.parts | {process.name: PartRecord(pid=process.pid, address=address, log=log)}
    write_state(layout, state)


@contextmanager
def explained_disk(layout: Layout) -> Iterator[None]:
    """A full or read-only disk is a LabError, not a traceback; little room is refused before anything starts."""
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        _require_room(layout.root)
        yield
    except OSError as error:
        if error.errno not in {
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EROFS,
            errno.EACCES,
        }:
            raise
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise LabError(
            "the disk of the lab is full" if full else "the lab's folder can not be written",
            evidence=f"{error.filename or layout.root}: {error.strerror}",
            consequence="parts that run already run on",
            next_command="make room, or choose another folder: bmswitch lab up --dir FOLDER; bmswitch lab down cleans up",
        ) from error


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _ROOM:
        raise OSError(errno.ENOSPC, f"{free >> 20} MiB are free, {_ROOM >> 20} MiB are needed", str(folder))


def _new_state(layout: Layout, wanted: Wanted) -> State:
    """Chooses kinds, ports, secrets and ids; refuses when parts of an older lab still run in this folder."""
    left = marked(layout)
    if left:
        raise LabError(
            "parts of an older lab still run in this folder",
            evidence=", ".join(sorted(f"{p.name} ({p.pid})" for p in left)),
            next_command="bmswitch lab down",
        )
    told = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    state = msgspec.convert(told, State)
    _identify(state)
    state.ports = ports.pick(_PORTS | (_APACHE_PORTS if state.kafka == "apache" else {}))
    _require_programs(state)
    layout.make()
    cores.make_secret(layout.secret("s3.access"), "LAB" + uuid.uuid4().hex[:17].upper())
    for name in ("s3.secret", "blue.token", "green.token", "load.password"):
        cores.make_secret(layout.secret(name))
    cores.make_installed(layout, "blue")
    return state


def _require_programs(state: State) -> None:
    programs.require(state.s3)
    programs.require(state.proxy)
    if state.kafka == "apache":
        programs.require_kafka_jars()


def _identify(state: State) -> None:
    """A new installation, or the one of the real log."""
    if not state.log:
        state.installation_id = f"bluemind-{uuid.uuid4()}"
        return
    from bmswitch.lab.supervisor import real_log  # noqa: PLC0415 -- only with --log

    state.installation_id = real_log.installation_of(Path(state.log))
    state.domain = real_log.domain_of(Path(state.log))


def _require_same(state: State, wanted: Wanted) -> None:
    for name, value in msgspec.structs.asdict(wanted).items():
        if value is not None and value != getattr(state, name):
            raise LabError(
                f"this lab was made with --{name} {getattr(state, name) or '(none)'}, not {value}",
                next_command="bmswitch lab down, then bmswitch lab up with the new options",
            )


def _refuse_lost_kafka(state: State, alive: dict[str, Process], *, created: bool) -> None:
    """An embedded Kafka that died took its log with it: a new one would be empty, and the cores do not know."""
    lost = [n for c in COLOURS if (n := kafka_embedded.name(c)) not in alive and n in state.parts]
    if state.kafka == "embedded" and lost and not created:
        raise LabError(
            f"{' and '.join(lost)} stopped, and the change log in it is gone: the embedded Kafka lives in memory",
            evidence="bmswitch lab status shows what still runs",
            next_command="bmswitch lab down, then bmswitch lab up (--kafka apache keeps its log on disk)",
        )


def _known(layout: Layout, state: State) -> dict[str, Process]:
    """The parts that run; one that an interrupted start never noted is stopped, to be started again."""
    alive = running_parts(layout, state)
    for name in [name for name in alive if name not in state.parts]:
        stop(alive.pop(name))
    return alive


def _start_missing(layout: Layout, state: State, alive: set[str]) -> list[str]:
    """Everything that needs nothing else first, all at once; then what needs addresses: files and cores."""
    write_state(layout, state)
    if not set(proxy.names(state.proxy)) <= alive:
        proxy.render(layout, state)
    on_the_way = [begin() for name, begin in _independent(layout, state).items() if name not in alive]
    proxies = [one for one in on_the_way if one.name in proxy.names(state.proxy)]
    _finish_all(layout, state, [one for one in on_the_way if one not in proxies])
    if on_the_way or not layout.config.exists():
        cores.write_sites(layout, state)
    if not layout.config.exists():
        config_file.write_config(layout, state)
    _prepare_log(layout, state)
    beside = [_begin_crp(layout, state)] if state.mode == "shared" and crp.NAME not in alive else []
    missing = [c for c in COLOURS if _wants_core(layout, state, c, alive)]
    begun = [(colour, _begin_core(layout, state, colour)) for colour in missing]
    _finish_all(layout, state, [*proxies, *beside])
    on_the_way += beside
    for colour, script in begun:
        limit = core_limit(state)
        record(
            layout, state, cores.finish(layout, colour, script, timeout=limit), core_address(state, colour)
        )
    return [one.name for one in on_the_way] + [cores.name(colour) for colour in missing]


def _prepare_log(layout: Layout, state: State) -> None:
    if state.kafka == "embedded":
        kafka_embedded.create_topics(
            layout, "blue", state.installation_id, state.domain, with_crp=state.mode == "shared"
        )
    if state.log and not state.loaded:
        load_log(layout, state)


def _finish_all(layout: Layout, state: State, starting: list[_Starting]) -> None:
    """Waits for all of them, then raises what the first one that failed has said."""
    failures = []
    for one in starting:
        try:
            process, address = one.finish()
        except LabError as error:
            failures.append(error)
        else:
            record(layout, state, process, address)
    if failures:
        raise failures[0]


def _independent(layout: Layout, state: State) -> dict[str, Callable[[], _Starting]]:
    """How to begin each part that can start before all others."""
    kafka = _begin_embedded if state.kafka == "embedded" else _begin_apache
    begins: dict[str, Callable[[], _Starting]] = {
        kafka_embedded.name(colour): functools.partial(kafka, layout, state, colour)
        for colour in kafkas(state)
    }
    begins[s3.NAME] = functools.partial(_begin_s3, layout, state)
    for name in proxy.names(state.proxy):
        begins[name] = functools.partial(_begin_proxy, layout, state, name)
    return begins


def _begin_embedded(layout: Layout, state: State, colour: Colour) -> _Starting:
    process = kafka_embedded.start(layout, colour)

    def finish() -> tuple[Process, str]:
        address = kafka_embedded.finish(layout, colour, process)
        _note_kafka(state, colour, address)
        return process, address

    return _Starting(process.name, finish)


def _begin_apache(layout: Layout, state: State, colour: Colour) -> _Starting:
    port = state.ports[f"{colour}_kafka"]
    process = kafka_apache.start(
        layout, kafka_embedded.name(colour), port, state.ports[f"{colour}_kafka_controller"]
    )

    def finish() -> tuple[Process, str]:
        address = kafka_apache.finish(layout, process, port)
        _note_kafka(state, colour, address)
        return process, address

    return _Starting(process.name, finish)


def _note_kafka(state: State, colour: Colour, address: str) -> None:
    """A Kafka's address, for each side that uses it."""
    sides = COLOURS if state.mode == "shared" else (colour,)
    state.bootstraps = state.bootstraps | dict.fromkeys(sides, address)


def _begin_crp(layout: Layout, state: State) -> _Starting:
    process = crp.start(layout, state)

    def finish() -> tuple[Process, str]:
        crp.finish(layout, process)
        return process, state.bootstraps["blue"]

    return _Starting(crp.NAME, finish)


def _begin_s3(layout: Layout, state: State) -> _Starting:
    keys = layout.secret("s3.access").read_text().strip(), layout.secret("s3.secret").read_text().strip()
    port = state.ports["s3"]
    process = s3.start(layout, state.s3, port, *keys)

    def finish() -> tuple[Process, str]:
        s3.finish(layout, process, port, *keys)
        return process, f"http://{SHARED_ADDRESS}:{port}"

    return _Starting(process.name, finish)


def _begin_proxy(layout: Layout, state: State, name: str) -> _Starting:
    process = proxy.start(layout, state, name)

    def finish() -> tuple[Process, str]:
        proxy.finish(layout, state, process)
        return process, proxy.address(state, name)

    return _Starting(name, finish)


def _wants_core(layout: Layout, state: State, colour: Colour, alive: set[str]) -> bool:
    name = cores.name(colour)
    known = colour == "blue" or name in state.parts
    return known and name not in alive and not cores.is_fenced(layout, colour)


def _begin_core(layout: Layout, state: State, colour: Colour) -> "subprocess.Popen[str]":
    cores.require_ports(state, colour)
    return cores.begin(layout, colour, timeout=core_limit(state))


def core_limit(state: State) -> float:
    """Seconds that a core may take to start: one that restores a real log takes long."""
    return cores.LOG_TIMEOUT if state.log else cores.START_TIMEOUT


def core_address(state: State, colour: Colour) -> str:
    """REST address of one core."""
    return f"http://{ADDRESSES[colour]}:{state.ports[f'{colour}_http']}"


def load_log(layout: Layout, state: State) -> None:
    """Loads the real log into blue's Kafka and notes that it was."""
    from bmswitch.lab.supervisor.real_log import load  # noqa: PLC0415 -- only with --log

    load(layout, state)
    state.loaded = True
    write_state(layout, state)
