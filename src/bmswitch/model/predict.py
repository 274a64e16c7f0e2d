"""How long each step will take, what it costs the source, what would end it: from earlier runs of the site, else from the probe.

An earlier run knows everything that a probe can not: how fast the clone applies, how a proof goes under this site's traffic. So it
wins wherever there is one. Without any, what is not known is left open: only a lower bound is given.
"""

import math

import msgspec

from bmswitch.model.estimates import Estimate, at_least, lasting, scaled
from bmswitch.model.history import Run, of_step
from bmswitch.model.inventory import Inventory
from bmswitch.model.probe import ApplyProbe, Probe
from bmswitch.model.status import ReplicateStatus

_ROUGH = (1.0, 1.5, 3.0)
"""Times the reading of the source alone: the other side is read beside it, counts come before items, what moves is read again."""
_BARRIERS = (1.0, 3.0, 15.0)
"""Seconds for the barriers of a proof, however small it is."""
_APPLIES = (3.0, 0.6)
"""Times what a clone's pace of two seconds predicts, at most and at least: records differ, and so does what they cost it."""
_MIB = 1024 * 1024


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction rests on. Times in seconds; `rate` is the configured limit of records a second, 0 for none.

    `status` is that of a copy that runs now; `log_life` the seconds until the source's log loses its oldest record, None when it never does.
    """

    records: int
    bodies: int
    probe: Probe
    inventory: Inventory
    runs: list[Run] = []
    rate: float = 0.0
    provision_timeout: float = 0.0
    caught_up_timeout: float = 0.0
    hold: float = 5.0
    soak: float = 0.0
    batch: int = 1
    every: float = 0.0
    status: ReplicateStatus | None = None
    log_life: float | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Of one step. `estimate` None: nothing is known. `load` on the source; `limits`: what ends it, or would."""

    estimate: Estimate | None
    load: str
    limits: list[str] = []


def predict(step: str, given: Given) -> Prediction:
    """One step by its command's name."""
    match step:
        case "provision":
            return _provision(given)
        case "replicate":
            return _replicate(given)
        case "verify":
            return _verify(given)
    return _switch(step, given)


def _provision(given: Given) -> Prediction:
    limits = (
        [f"ended after {given.provision_timeout:g} s (provision.timeout)"] if given.provision_timeout else []
    )
    return Prediction(
        estimate=_from_runs("provision", given, by_size=False),
        load="64 small writes in each domain",
        limits=limits,
    )


def _replicate(given: Given) -> Prediction:
    log = given.probe.log
    estimate = _under_way(given.status) or _from_runs("replicate", given)
    if estimate is None and (log.rate or given.rate):
        rate = min(rate for rate in (log.rate, given.rate) if rate)
        how = (
            "at replication.rate"
            if rate == given.rate
            else f"reading alone, {rate:,.0f} records a second now"
        )
        estimate = at_least(
            given.records / rate, f"{how}; how fast green applies is known once it has run here"
        )
    estimate, stands = _applied(estimate, given.probe.apply)
    limits = [_retention(given), *stands]
    longest = (estimate.high or estimate.low) if estimate else 0.0
    if given.caught_up_timeout and longest > given.caught_up_timeout:
        limits.append(
            f"longer than replication.caught_up_timeout ({given.caught_up_timeout:g} s): raise it, or it gives up"
        )
    speed = min(log.rate, given.rate) if given.rate else log.rate
    load = f"its brokers give up to {speed:,.0f} records ({speed * log.record_bytes / _MIB:.1f} MiB) a second; its core nothing"
    return Prediction(
        estimate=estimate, load=load if speed else "its brokers are read; its core is not", limits=limits
    )


def _applied(copied: Estimate | None, seen: ApplyProbe) -> tuple[Estimate | None, list[str]]:
    """The slower of copy and clone decides; a clone that stands still is told, as nothing can be predicted from it."""
    if not seen.behind:
        return copied, []
    if not seen.rate:
        return copied, [
            f"the clone applied nothing in {seen.seconds:.1f} s, and {seen.behind:,} records wait"
        ]
    left = seen.behind / seen.rate
    how = f"the clone is {seen.behind:,} records behind and applied {seen.rate:,.0f} a second just now"
    if copied is not None and (copied.likely or copied.low) > left:
        return copied, [how]
    slow, quick = _APPLIES
    return Estimate(low=left * quick, likely=left, high=left * slow, how=how), []


def _under_way(status: ReplicateStatus | None) -> Estimate | None:
    """A copy that runs now knows best what is left of it: by the rate at which green takes what it is given."""
    if status is None or status.phase not in {"copying", "cloning"}:
        return None
    how = f"what is left, as replicate says: {status.lag_records:,} records, green takes {status.records_per_second:,.0f} a second"
    if status.left_seconds is None or status.left_low is None:
        return None
    if status.left_high is None:
        return at_least(status.left_low, how)
    return Estimate(low=status.left_low, likely=status.left_seconds, high=status.left_high, how=how)


def _retention(given: Given) -> str:
    """When the source's log would lose what is still to be copied."""
    settings = given.inventory.source.log.settings
    policy = settings.get("cleanup.policy", [])
    if not policy:
        return "whether the log's retention would end it is not known: the broker does not tell"
    if any("delete" in one for one in policy):
        kept = ", ".join(settings.get("retention.ms", ["?"]))
        when = f", the oldest in {lasting(given.log_life)}" if given.log_life is not None else ""
        return f"the log deletes by age (retention.ms {kept}){when}: what is not copied by then is lost"
    return "the log's retention never ends it: it is compacted, the newest record of each key stays"


def _verify(given: Given) -> Prediction:
    rest, bodies = given.probe.rest, given.probe.bodies
    estimate = _from_runs("verify", given)
    if estimate is None and rest.owners:
        reading = rest.seconds / rest.owners * rest.of
        looking = given.bodies / bodies.rate if bodies.rate else 0.0
        how = f"{rest.owners} of {rest.of} entries read in {rest.seconds:.1f} s"
        alone = scaled(reading, rest.spread, how)
        low, likely, high = (
            (time or 0.0) * factor + looking + barriers
            for time, factor, barriers in zip(
                (alone.low, alone.likely, alone.high), _ROUGH, _BARRIERS, strict=True
            )
        )
        estimate = Estimate(low=low, likely=likely, high=high, how=f"{how}; earlier runs will tell it better")
    calls = rest.calls / rest.seconds if rest.seconds else 0.0
    load = "reads only, 32 at a time (--concurrency)"
    if calls:
        load += f"; the probe made {calls:,.0f} a second with {rest.at_once} at a time"
    return Prediction(estimate=estimate, load=load)


def _switch(step: str, given: Given) -> Prediction:
    """For a switch the estimate is of the hold."""
    sessions = given.inventory.sessions
    on_a_node = max((max(0, n.mail) + max(0, n.websockets) for n in given.inventory.nodes), default=0)
    kicking = max(0, math.ceil(on_a_node / given.batch) - 1) * given.every
    estimate = _from_runs(step, given, by_size=False) or Estimate(
        low=kicking, likely=None, high=given.hold, how="no switch was made here yet"
    )
    return Prediction(
        estimate=estimate,
        load="64 small writes in each domain, then reads of what changed since the last proof; then it is stopped",
        limits=[
            f"the hold ends by itself after {given.hold:g} s (budgets.hold), and everything is put back",
            f"{sessions:,} kept sessions now: ending them takes {kicking:.1f} s at the pace of sessions.batch and every",
            f"then the soak watches for {given.soak:g} s",
        ],
    )


def _from_runs(step: str, given: Given, *, by_size: bool = True) -> Estimate | None:
    """Earlier runs, scaled by the records of the log; the fewer there are, the wider."""
    runs = of_step(given.runs, step)
    if not runs:
        return None
    took = [
        run.seconds * (given.records / run.records if by_size and run.records and given.records else 1.0)
        for run in runs
    ]
    wider = 1 + 0.5 / len(took)
    one = len(took) == 1
    return Estimate(
        low=min(took) / wider,
        likely=sum(took) / len(took),
        high=max(took) * wider,
        how=f"{len(took)} earlier run{'' if one else 's'} of this site"
        + (", scaled by its log" if by_size else ""),
    )
