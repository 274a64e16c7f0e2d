"""The words of a plan that the terminal and the merge request share: rows of the inventory, estimates, the strategy."""

from collections.abc import Iterator

from bmswitch.cli.render import count, size
from bmswitch.model.accepting import ANY, US
from bmswitch.model.config import other
from bmswitch.model.estimates import Estimate, lasting, ranged
from bmswitch.model.history import Run
from bmswitch.model.inventory import Inventory, Log, Machine, NodeInventory, SideInventory
from bmswitch.model.plan import Plan, Step

Row = tuple[str, str, str]
_WAYS = {"blue-green": "blue/green", "in-place": "in place", "clone-first": "clone first"}
_SWITCHES = ("cutover", "return")


def title(plan: Plan) -> str:
    """Versions and sides in one line."""
    to = plan.target.version or f"a new {other(plan.serving)}"
    return f"BlueMind {plan.source.version} on {plan.serving} to {to}"


def strategy_words(plan: Plan) -> Iterator[tuple[str, str]]:
    """The way that fits, its reasons, and why not the others: a label and a sentence each."""
    if plan.strategy is None:
        return
    yield "fits", _WAYS[plan.strategy.way]
    for why in plan.strategy.why:
        yield "because", why
    for way, why in plan.strategy.not_others.items():
        yield f"not {_WAYS[way]}", why


def expected(step: Step) -> str:
    """What the step will take, with its range and where that comes from."""
    found = step.estimate
    if found is None:
        return "not known: it never ran here"
    return f"{'clients wait ' if step.command in _SWITCHES else ''}{ranged(found)}: {found.how}"


def run_words(run: Run) -> tuple[str, str, str, str]:
    """When, what, predicted, taken."""
    kept = {True: "", False: ", outside of it", None: ""}[run.kept]
    predicted = ranged(run.predicted) if run.predicted else "-"
    step = f"{run.step}: held" if run.step in _SWITCHES else run.step
    return run.at, f"{step} ({run.said})" if run.said else step, predicted, f"{lasting(run.seconds)}{kept}"


def site_rows(plan: Plan) -> list[Row]:
    """Both sides beside each other."""
    there = plan.inventory
    if there is None:
        return _fingerprint_rows(plan)
    source, target = there.source, there.target
    rows = [
        ("core", source.url, target.url),
        ("version", source.version or "-", target.version or "not there yet"),
        ("state", _state(source), _state(target)),
        *_domain_rows(there),
        *_machine_rows(source, target),
        ("log", _log(source.log), _log(target.log)),
        *_setting_rows(source.log, target.log),
        ("bodies", _bodies(there), "the same bucket"),
    ]
    if there.items is not None:
        rows.append(("items", _about(there.items), ""))
    return rows


def _fingerprint_rows(plan: Plan) -> list[Row]:
    source, target = plan.source, plan.target
    return [
        ("core", source.url, target.url),
        ("version", source.version, target.version or "not there yet"),
        ("domains", ", ".join(source.domains), ", ".join(target.domains) or "-"),
        (
            "log",
            f"{count(plan.volume.total_records)} records in {len(source.topics)} topics",
            f"{len(target.topics)} topics",
        ),
        ("bodies", count(plan.volume.bodies), "the same bucket"),
    ]


def _state(side: SideInventory) -> str:
    return side.state.removeprefix("CORE_STATE_").lower() or "does not answer"


def _domain_rows(there: Inventory) -> Iterator[Row]:
    """One row a domain, the largest first; beyond ten the others together."""
    theirs = {domain.uid for domain in there.target.domains}
    ordered = sorted(there.source.domains, key=lambda domain: -domain.mailboxes)
    for domain in ordered[:10]:
        told = f"{count(domain.users)} users, {count(domain.mailboxes)} mailboxes, {count(domain.entries)} entries"
        yield f"domain {domain.uid}", told, "there" if domain.uid in theirs else "-"
    if rest := ordered[10:]:
        boxes = sum(domain.mailboxes for domain in rest)
        yield f"{len(rest)} more domains", f"{count(boxes)} mailboxes", ""


def _machine_rows(source: SideInventory, target: SideInventory) -> Iterator[Row]:
    mine = {machine.uid: machine for machine in source.machines}
    theirs = {machine.uid: machine for machine in target.machines}
    for uid in [*mine, *(uid for uid in theirs if uid not in mine)]:
        yield f"server {uid}", _machine(mine.get(uid)), _machine(theirs.get(uid))


def _machine(machine: Machine | None) -> str:
    if machine is None:
        return "-"
    parts = [machine.address, " ".join(machine.roles)]
    parts += [f"{disk.mount} {size(disk.free)} free of {size(disk.bytes)}" for disk in machine.disks[:4]]
    if not machine.disks:
        parts.append("disks not told")
    return "; ".join(part for part in parts if part)


def _log(log: Log) -> str:
    if not log.topics:
        return log.error or "no topics yet"
    bytes_ = f", about {size(log.bytes.likely)}" if log.bytes and log.bytes.likely else ""
    copies = f", {log.copies} cop{'y' if log.copies == 1 else 'ies'}"
    return f"{count(log.records)} records{bytes_} in {log.topics} topics, {log.partitions} partitions{copies}"


def _setting_rows(source: Log, target: Log) -> Iterator[Row]:
    if not source.settings and source.topics:
        yield "Kafka settings", "not told", ""
    for key in sorted(source.settings.keys() | target.settings.keys()):
        yield key, " or ".join(source.settings.get(key, ["-"])), " or ".join(target.settings.get(key, ["-"]))


def _bodies(there: Inventory) -> str:
    bucket = there.bucket
    if bucket.bodies < 0:
        return bucket.error or "not counted"
    versioning = f", versioning {bucket.versioning.lower()}" if bucket.versioning else ""
    documents = f", {count(bucket.documents)} documents" if bucket.documents >= 0 else ""
    return f"{count(bucket.bodies)} in {size(bucket.bytes)}{documents} ({bucket.name}{versioning})"


def _about(found: Estimate) -> str:
    if found.likely is None or found.high is None:
        return f"at least {count(found.low)}"
    if found.low == found.high:
        return f"{count(found.likely)} ({found.how})"
    return (
        f"about {count(found.likely)} ({count(round(found.low))} to {count(round(found.high))}; {found.how})"
    )


def accepted_words(plan: Plan) -> list[str]:
    """Who accepted which differences; those that the clone can not avoid in one line."""
    ours = [one.name for one in plan.accepted if one.who == US]
    found = [f"{', '.join(ours)}: the native clone can not avoid them"] if ours else []
    for one in plan.accepted:
        if one.who != US:
            most = "any number" if one.at_most == ANY else f"at most {one.at_most}"
            found.append(f"{one.name} ({most}) by {one.who}, {one.at}: {one.reason}")
    return found


def edge_rows(plan: Plan) -> list[tuple[str, str]]:
    """Proxies, names, certificates, clocks: what clients meet."""
    there = plan.inventory
    if there is None:
        return []
    rows = [(f"proxy {node.name}", _node(node)) for node in there.nodes]
    for name in there.names:
        ttl = f", kept {lasting(name.ttl)} by resolvers" if name.ttl >= 0 else ""
        rows.append((f"name {name.name}", name.error or f"{', '.join(name.addresses)}{ttl}"))
    for one in there.certificates:
        days = f"valid for {one.days} days" if one.days >= 0 else "validity not told"
        rows.append((f"certificate {one.at}", one.problem or days))
    clocks = [
        f"{one.name} {one.ahead:+.1f} s" if one.ahead is not None else f"{one.name} not told"
        for one in there.clocks
    ]
    return [*rows, ("clocks", ", ".join(clocks))] if clocks else rows


def _node(node: NodeInventory) -> str:
    if node.mail < 0:
        opened = node.error or "sessions not told"
    else:
        sockets = f", {node.websockets} websockets" if node.websockets >= 0 else ""
        clients = ", ".join(f"{count} {protocol}" for protocol, count in node.connected.items())
        connected = f"; clients connected now: {clients}" if clients else ""
        opened = f"{node.mail} mail and {node.web} web open now{sockets}{connected}"
    fronts = f"; clients use {', '.join(node.frontends)}" if node.frontends else "; no frontend is named"
    return f"{node.driver}, on {node.points_at}, {opened}{fronts}"
