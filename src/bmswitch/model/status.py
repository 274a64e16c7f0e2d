"""What a running `replicate` says about itself in `<run_dir>/replicate.json`: read by status, plan and the switch."""

from typing import Literal

import msgspec

Phase = Literal["starting", "copying", "cloning", "caught_up", "stopped", "failed"]


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process, several times a second in `<run_dir>/workers/<name>.json`. `at` is epoch seconds.

    `owned` counts its partitions, `takeovers` those whose owner before it vanished, `repairs` those that it wrote again because a
    worker that was thought dead had written to them; records that were read twice count twice. `left` and `unknown`
    count what its cures passed as it is. `error` says why it
    ended, by the parts of a `BmswitchError`.
    """

    name: str
    host: str
    pid: int
    at: float
    owned: int = 0
    records: int = 0
    bytes: int = 0
    last_ms: int = 0
    takeovers: int = 0
    repairs: int = 0
    farewell: bool = False
    finished: bool = False
    left: dict[str, int] = {}
    unknown: dict[str, int] = {}
    error: dict[str, str] = {}


class ReplicateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the replication. Times are epoch seconds, rates per second.

    `lag_records` counts offsets that green has not acknowledged, `lag_bytes` is estimated from them, `lag_seconds` the age of the
    oldest of them, true to 50 ms. `left_seconds` predicts the end of the catch-up, most likely between `left_low` and
    `left_high`; None: nothing can be predicted, or no upper bound. `log_life_seconds` is for how long blue's log still keeps
    what is not copied, None while it loses nothing.

    `positions` is per topic and partition the next offset of blue that green's Kafka has not acknowledged yet;
    `ends` are blue's end offsets as last seen. `quarantined` counts the parked records of this run directory.
    `first_pass_*` tell of the copy of what was there when the run began; 0 until it is done.
    `folded_read` records of the snapshot were read by the folded first pass of this run, `folded_kept` of them go on; 0 without one.
    `held` says why nothing is read now (a pause, the source's health), empty when something is; `held_seconds` for how long in
    this run; `rate_limit` is the most records a second that may be read, 0 for no limit.
    `workers` are the processes that share the work, on any machine; none when one process does it alone.
    `mode` shared: nothing is copied, and all of it is said of the clone that reads the source's own log: `records` are those that its readers
    have committed, `lag_*` are upper bounds until it is caught up and then measured with a write of our own every second; `unseen`
    says what the source's Kafka does not tell of it.
    `updated_at` older than a few seconds means that the process is gone, whatever `phase` says.
    """

    plan_id: str
    pid: int
    phase: Phase
    started_at: float
    updated_at: float
    records: int = 0
    bytes: int = 0
    records_per_second: float = 0.0
    lag_records: int = 0
    lag_bytes: int = 0
    lag_seconds: float = 0.0
    left_seconds: float | None = None
    left_low: float | None = None
    left_high: float | None = None
    log_life_seconds: float | None = None
    positions: dict[str, list[int]] = {}
    ends: dict[str, list[int]] = {}
    quarantined: int = 0
    first_pass_records: int = 0
    first_pass_seconds: float = 0.0
    folded_read: int = 0
    folded_kept: int = 0
    held: str = ""
    held_seconds: float = 0.0
    rate_limit: float = 0.0
    workers: list[WorkerStatus] = []
    clone_task: str = ""
    mode: Literal["mirror", "shared"] = "mirror"
    unseen: str = ""
    error: str = ""
