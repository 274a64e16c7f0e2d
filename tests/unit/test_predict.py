"""Estimates, the strategy, and the history that both rest on: pure, from worlds in which one thing is different."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.test_plan import CONFIG, PLAN

from bmswitch.model.config import PlanRules
from bmswitch.model.estimates import Estimate, lasting, ranged, scaled, spread
from bmswitch.model.history import Run, of_step
from bmswitch.model.inventory import BucketInventory, Disk, Inventory, Log, NodeInventory, SideInventory
from bmswitch.model.plan import Step
from bmswitch.model.predict import Given, Prediction, predict
from bmswitch.model.probe import ApplyProbe, BodyProbe, LogProbe, Probe, RestProbe
from bmswitch.model.status import ReplicateStatus
from bmswitch.model.strategy import Case, choose
from bmswitch.workflows.history import history_path, load_history, remember
from bmswitch.workflows.inventory import parse_df

COMPACT = Log(topics=2, partitions=128, records=1000, settings={"cleanup.policy": ["compact"]})
SIDE = SideInventory(colour="blue", url="", state="", version="5.0", machines=[], domains=[], log=COMPACT)
THERE = Inventory(
    source=SIDE,
    target=msgspec.structs.replace(SIDE, colour="green"),
    bucket=BucketInventory(name="b", endpoint=""),
    nodes=[NodeInventory(name="edge", driver="haproxy", points_at="blue", frontends=[], mail=20_000, web=7)],
    names=[],
    certificates=[],
    clocks=[],
)
GIVEN = Given(
    records=1_000_000,
    bodies=1000,
    probe=Probe(
        log=LogProbe(records=10_000, bytes=1 << 20, seconds=1.0, spread=0.05),
        rest=RestProbe(owners=10, of=1000, calls=500, seconds=1.0, at_once=8, spread=0.1),
        bodies=BodyProbe(asked=100, seconds=0.1),
    ),
    inventory=THERE,
    hold=5.0,
    batch=5000,
    every=0.05,
    caught_up_timeout=3600.0,
)
RUN = Run(
    at="",
    plan_id="p",
    step="replicate",
    source="blue",
    source_version="5.0",
    target_version="5.1",
    records=500_000,
    seconds=100.0,
    said="caught up",
)


def given(**changes: object) -> Given:
    return msgspec.structs.replace(GIVEN, **changes)


def log_settings(**settings: list[str]) -> Given:
    log = msgspec.structs.replace(COMPACT, settings={k.replace("_", "."): v for k, v in settings.items()})
    return given(inventory=msgspec.structs.replace(THERE, source=msgspec.structs.replace(SIDE, log=log)))


def test_a_copy_that_never_ran_here_has_a_lower_bound_and_no_more() -> None:
    found = predict("replicate", GIVEN).estimate
    assert found is not None
    assert (found.low, found.likely, found.high) == (100.0, None, None)
    limited = predict("replicate", given(rate=1000.0)).estimate
    assert limited is not None
    assert limited.low == 1000.0
    assert "replication.rate" in limited.how
    assert predict("replicate", given(probe=Probe())).estimate is None


def test_a_copy_that_runs_says_itself_what_is_left() -> None:
    status = ReplicateStatus(
        plan_id="p",
        pid=1,
        phase="copying",
        started_at=0,
        updated_at=0,
        left_seconds=90,
        left_low=60,
        left_high=200,
    )
    found = predict("replicate", given(runs=[RUN], status=status)).estimate
    assert found is not None
    assert (found.low, found.likely, found.high) == (60, 90, 200)
    open_end = predict("replicate", given(status=msgspec.structs.replace(status, left_high=None))).estimate
    assert open_end is not None
    assert (open_end.low, open_end.high) == (60, None)
    ended = msgspec.structs.replace(status, phase="stopped")
    again = predict("replicate", given(runs=[RUN], status=ended)).estimate
    assert again is not None
    assert again.likely == 200.0


def test_earlier_runs_are_scaled_by_the_log_and_narrow_the_range() -> None:
    one = predict("replicate", given(runs=[RUN])).estimate
    assert one is not None
    assert one.likely == 200.0
    assert one.low == pytest.approx(200 / 1.5)
    assert one.high == 300.0
    more = predict("replicate", given(runs=[RUN] * 10)).estimate
    assert more is not None
    assert more.high is not None
    assert more.high < 220
    failed = msgspec.structs.replace(RUN, said="aborted")
    assert of_step([failed, RUN], "replicate") == [RUN]


def test_a_proof_is_predicted_from_a_sample_with_its_spread() -> None:
    found = predict("verify", GIVEN).estimate
    assert found is not None
    assert found.likely == pytest.approx(100 * 1.5 + 1 + 3)
    assert found.low == pytest.approx(100 * 0.8 + 1 + 1)
    assert found.high == pytest.approx(100 * 1.2 * 3 + 1 + 15)
    rough = msgspec.structs.replace(GIVEN.probe.rest, spread=1.0)
    wider = predict("verify", given(probe=msgspec.structs.replace(GIVEN.probe, rest=rough))).estimate
    assert wider is not None
    assert (wider.high or 0) > (found.high or 0)


def test_a_hold_is_bounded_by_its_budget_until_a_switch_was_made() -> None:
    told = predict("cutover", GIVEN)
    assert told.estimate is not None
    assert told.estimate.low == pytest.approx(0.15)
    assert (told.estimate.likely, told.estimate.high) == (None, 5.0)
    assert any("20,000 kept sessions" in limit for limit in told.limits)
    back = msgspec.structs.replace(RUN, step="return", said="switched", seconds=0.4)
    known = predict("cutover", given(runs=[back])).estimate
    assert known is not None
    assert known.likely == 0.4


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (log_settings(cleanup_policy=["compact"]), "never ends it"),
        (
            log_settings(cleanup_policy=["compact,delete"], retention_ms=["604800000"]),
            "retention.ms 604800000",
        ),
        (log_settings(), "not known"),
    ],
)
def test_the_retention_of_the_log_is_said(world: Given, said: str) -> None:
    assert said in predict("replicate", world).limits[0]


def test_a_copy_that_would_outlast_its_timeout_is_told() -> None:
    slow = msgspec.structs.replace(RUN, seconds=9000.0)
    assert any("caught_up_timeout" in one for one in predict("replicate", given(runs=[slow])).limits)
    assert len(predict("replicate", given(runs=[RUN])).limits) == 1


def test_numbers_from_samples() -> None:
    assert spread([1.0]) == 1.0
    assert spread([2.0, 2.0, 2.0]) == 0.0
    assert 0 < spread([1.0, 3.0]) < 1
    wide = scaled(100, 3.0, "")
    assert wide.low == pytest.approx(10)
    assert scaled(100, 0.1, "", floor=95).low == 95
    assert Estimate(low=1, likely=2, high=3, how="").holds(3)
    assert not Estimate(low=1, likely=None, high=None, how="").holds(0.5)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.44, "0.4 s"),
        (45.2, "45 s"),
        (720, "12 min"),
        (12000, "3 h 20 min"),
        (7200, "2 h"),
        (187200, "2 d 4 h"),
    ],
)
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


def test_ranges_as_people_say_them() -> None:
    assert ranged(Estimate(low=60 * 10, likely=60 * 12, high=60 * 15, how="")) == (
        "about 12 min (10 min to 15 min)"
    )
    assert ranged(Estimate(low=0.1, likely=None, high=5, how="")) == "at most 5.0 s, at least 0.1 s"
    assert ranged(Estimate(low=0.0, likely=None, high=5, how="")) == "at most 5.0 s"
    assert ranged(Estimate(low=3, likely=None, high=None, how="")) == "at least 3.0 s"


# --- strategy -----------------------------------------------------------------------------------------------------

CASE = Case(mailboxes=3000, source_version="5.0.1", target_version="5.1.0", room="", proven=0)
RULES = PlanRules()


@pytest.mark.parametrize(
    ("changes", "way", "word"),
    [
        ({}, "blue-green", "3,000 mailboxes"),
        ({"mailboxes": 250}, "in-place", "plan.small"),
        ({"mailboxes": 250, "target_version": "5.0.9"}, "blue-green", "only the machines change"),
        ({"mailboxes": 250, "room": "no Kafka"}, "blue-green", "no Kafka"),
        ({"mailboxes": 40_000}, "clone-first", "plan.large"),
        ({"mailboxes": 40_000, "proven": 2}, "blue-green", "2 earlier proofs"),
        ({"mailboxes": 40_000, "target_version": "5.0.9"}, "blue-green", "only the machines change"),
        ({"mailboxes": 10, "back": True}, "blue-green", "the way back"),
    ],
)
def test_the_way_that_fits_a_site(changes: dict[str, object], way: str, word: str) -> None:
    found = choose(msgspec.structs.replace(CASE, **changes), RULES)
    assert found.way == way
    assert any(word in why for why in found.why)
    assert way not in found.not_others


# --- history and disks --------------------------------------------------------------------------------------------


def test_predicted_and_actual_are_written_beside_each_other(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, run_dir=str(tmp_path))
    estimate = Estimate(low=1, likely=2, high=3, how="")
    step = Step(command="verify", does="", clients="", undone_by="", estimate=estimate)
    plan = msgspec.structs.replace(PLAN, steps=[step])
    remember(config, plan, "verify", 2.5, "equal")
    back = msgspec.structs.replace(config, run_dir=str(tmp_path / "leg-2"))
    remember(back, plan, "verify", 9.0, "equal")
    with history_path(config).open("ab") as file:
        file.write(b'{"half a li\n')
    runs = load_history(back)
    assert [(run.seconds, run.predicted, run.kept) for run in runs] == [
        (2.5, estimate, True),
        (9.0, estimate, False),
    ]
    assert history_path(config).stat().st_mode & 0o777 == 0o600


def test_a_history_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, run_dir=str(tmp_path / "none"))
    assert remember(config, PLAN, "verify", 1.0, "equal").seconds == 1.0
    assert load_history(config) == []


def test_disks_of_a_machine() -> None:
    told = """Filesystem     1024-blocks     Used Available Capacity Mounted on
udev               8000000        0   8000000       0% /dev
tmpfs              1600000     2000   1598000       1% /run
/dev/sda1        100000000 40000000  60000000      40% /
/dev/sdb1        500000000 90000000 410000000      18% /var/spool/bm mail
/dev/sda1        100000000 40000000  60000000      40% /snap
/dev/sdc1              100      100         0     100% /boot/tiny
df: /mnt/gone: Stale file handle"""
    assert parse_df(told) == [
        Disk("/", 102_400_000_000, 61_440_000_000),
        Disk("/var/spool/bm mail", 512_000_000_000, 419_840_000_000),
    ]


def test_the_slower_of_copy_and_clone_decides() -> None:
    def replicating(apply: ApplyProbe) -> Prediction:
        probe = msgspec.structs.replace(GIVEN.probe, apply=apply)
        return predict("replicate", msgspec.structs.replace(GIVEN, probe=probe))

    alone = replicating(ApplyProbe())
    assert alone.estimate is not None
    slow = replicating(ApplyProbe(records=2_000, behind=900_000, seconds=2.0))
    assert slow.estimate is not None
    assert slow.estimate.likely == pytest.approx(900)
    assert slow.estimate.low < 900 < (slow.estimate.high or 0)
    assert "900,000 records behind and applied 1,000 a second" in slow.estimate.how
    quick = replicating(ApplyProbe(records=2_000_000, behind=10, seconds=2.0))
    assert quick.estimate == alone.estimate
    stands = replicating(ApplyProbe(behind=7, seconds=2.0))
    assert stands.estimate == alone.estimate
    assert "the clone applied nothing in 2.0 s, and 7 records wait" in stands.limits
