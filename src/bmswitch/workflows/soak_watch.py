"""The soak: every frontend of every node is used as a person would, round after round; what stayed behind is ended meanwhile.

Its end is a report (`soak.json`) with figures for each frontend, and a list of breaches. A breach that more probing can not
take back ends it early.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.config import AnyNode, Config, Soak
from bmswitch.model.soak import Attempt, Protocol, Report, figures, over_at_end, over_at_once, summary
from bmswitch.model.switch import Result
from bmswitch.workflows.canary import Person, probe_imap, probe_smtp, probe_web, said_by
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.kept_sessions import Ending, Open, left
from bmswitch.workflows.sites import verification
from bmswitch.workflows.soak import probe_http, probe_tcp

REPORT = "soak.json"
_AT_ONCE = 32
_PATIENCE = 0.2

Probe = Callable[[], str]


class Front(msgspec.Struct, frozen=True):
    """One frontend of one node, and what asks it: what is wrong, or nothing."""

    node: str
    protocol: Protocol
    address: str
    probe: Probe

    def ask(self) -> Attempt:
        """One attempt, timed."""
        begun = time.monotonic()
        said = self.probe()
        took = (time.monotonic() - begun) * 1000
        return Attempt(node=self.node, protocol=self.protocol, frontend=self.address, ms=took, said=said)


def watch_target(config: Config, ending: Ending) -> Report:
    """The whole soak of one switch."""
    verify, canary = verification(config.target.tls), config.soak.canary
    person = None if canary is None else Person(canary.login, read_secret(canary.password), verify)
    found = fronts(config.proxies, person, verify=verify)
    with ThreadPoolExecutor(min(_AT_ONCE, len(found) + 1), thread_name_prefix="probe") as pool:
        return soak(pool, found, config.soak, ending, canary=person is not None)


def fronts(nodes: Sequence[AnyNode], person: Person | None, *, verify: bool | str) -> list[Front]:
    """Every frontend with its probe: a person's whole round, or without a person the greeting only."""
    return [front for node in nodes for front in _of_node(node, nodes, person, verify=verify)]


def _of_node(
    node: AnyNode, nodes: Sequence[AnyNode], person: Person | None, *, verify: bool | str
) -> list[Front]:
    ends = node.frontends
    if person is None:
        return [
            *(Front(node.name, "http", url, partial(probe_http, "", url, verify)) for url in ends.http),
            *(Front(node.name, "imap", at, partial(probe_tcp, "", at, "* OK")) for at in ends.imap),
            *(Front(node.name, "smtp", at, partial(probe_tcp, "", at, "220")) for at in ends.smtp),
        ]
    anywhere = [*ends.imap, *(at for other in nodes for at in other.frontends.imap), ""]
    post = partial(probe_smtp, person=person, found_at=anywhere[0])
    return [
        *(Front(node.name, "http", url, _said(partial(probe_web, url, person))) for url in ends.http),
        *(Front(node.name, "imap", at, _said(partial(probe_imap, at, person))) for at in ends.imap),
        *(Front(node.name, "smtp", at, _said(partial(post, at))) for at in ends.smtp),
    ]


def _said(probe: Callable[[], None]) -> Probe:
    return partial(said_by, probe)


def soak(pool: Executor, found: Sequence[Front], limits: Soak, ending: Ending, *, canary: bool) -> Report:
    """Rounds of probes for `limits.seconds`, then the verdict. Each round waits for its slowest probe (all are bounded)."""
    begun = time.monotonic()
    attempts: list[Attempt] = []
    stayed = _end_some(ending, by_command=True)
    while True:
        started = time.monotonic()
        attempts += [future.result() for future in [pool.submit(front.ask) for front in found]]
        _end_some(ending, by_command=False)
        now = time.monotonic()
        if now - begun >= limits.seconds or over_at_once(figures(attempts), limits):
            break
        time.sleep(max(0.0, min(started + limits.every, begun + limits.seconds) - now))
    seen = figures(attempts)
    return Report(
        seconds=round(time.monotonic() - begun, 3),
        canary=canary,
        frontends=seen,
        stayed=stayed,
        breaches=[*over_at_end(seen, limits), *_still_there(ending)],
    )


def result_of(report: Report) -> Result:
    """The soak's answer for the journal."""
    facts: dict[str, int | str] = {
        "attempts": sum(each.attempts for each in report.frontends),
        "failures": sum(each.failures for each in report.frontends),
        "stayed": report.stayed,
    }
    return Result(answer="no" if report.breaches else "yes", said=summary(report.breaches), facts=facts)


def save_report(run_dir: Path, report: Report) -> None:
    """Leaves `soak.json` in the run folder (0600)."""
    replace_file(run_dir / REPORT, msgspec.json.encode(report) + b"\n")


def load_report(run_dir: Path) -> Report | None:
    """The last soak's report; None when there is none that can be read."""
    try:
        return msgspec.json.decode((run_dir / REPORT).read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None


def _end_some(ending: Ending, *, by_command: bool) -> int:
    """Ends a batch of what is still on the side that no longer serves; how many were there."""
    there = sum(each.of("mail") + each.of("web") for each in ending.count())
    if there:
        ending.some(by_command=by_command)
    return there


def _still_there(ending: Ending) -> list[str]:
    """Sessions that outlived the soak; one more look for those that were just told to end."""
    found: list[Open] = ending.count()
    if left(found):
        ending.some(by_command=False)
        time.sleep(_PATIENCE)
        found = ending.count()
    said = left(found)
    return [f"sessions are left on the side that no longer serves: {said}"] if said else []
