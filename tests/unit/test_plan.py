"""The plan file: bound to one configuration and one pair of sites; damage and staleness are told."""

from pathlib import Path

import msgspec
import pytest

from bmswitch.model.errors import PlanError, StalePlanError
from bmswitch.model.plan import SCHEMA, Finding, Fingerprint, Level, Plan, Volume, changes
from bmswitch.workflows.config import config_hash, load_config
from bmswitch.workflows.plan import load_plan, refuse_stops, save_plan

CONFIG = load_config(Path(__file__).parents[2] / "examples" / "production.yaml")
SITE = Fingerprint(
    url="http://blue:8090",
    version="5.0.1",
    installation_id="bluemind-1",
    domains=["a.test", "b.test"],
    servers={"bm-master": "10.0.0.1"},
    topics={"t": 64},
    kafka_cluster_id="k",
)
PLAN = Plan(
    schema=SCHEMA,
    id="20260101-000000-abcdef",
    created_at="2026-01-01T00:00:00+00:00",
    config_hash=config_hash(CONFIG),
    serving="blue",
    source=SITE,
    target=SITE,
    volume=Volume(records={"t": 2}, entries={}, bodies=0),
    steps=[],
    findings=[],
)


def test_round_trip_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "run" / "plan.json"
    save_plan(PLAN, path)
    assert load_plan(CONFIG, path) == PLAN
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["plan.json"]


def test_missing_plan_says_to_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no plan file") as caught:
        load_plan(CONFIG, tmp_path / "plan.json")
    assert caught.value.next_command == "bmswitch plan"


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', '{"schema": "x"}', "[]"])
def test_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError, match="damaged") as caught:
        load_plan(CONFIG, path)
    assert caught.value.exit_code == 4


def test_plan_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"schema": 99}', encoding="utf-8")
    with pytest.raises(PlanError, match="schema 99"):
        load_plan(CONFIG, path)


def test_plan_of_another_configuration_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save_plan(msgspec.structs.replace(PLAN, config_hash="0"), path)
    with pytest.raises(StalePlanError, match="configuration has changed") as caught:
        load_plan(CONFIG, path)
    assert caught.value.exit_code == 5


def test_each_change_of_a_site_is_named() -> None:
    now = msgspec.structs.replace(
        SITE,
        version="5.0.2",
        domains=["a.test", "c.test"],
        servers={"bm-master": "10.0.0.9", "bm-new": "10.0.0.2"},
        topics={},
    )
    assert changes(SITE, now, "blue") == [
        "blue version: was 5.0.1, is 5.0.2",
        "blue domains: b.test is gone",
        "blue domains: c.test is new",
        "blue servers: bm-new is new (10.0.0.2)",
        "blue servers: bm-master was 10.0.0.1, is 10.0.0.9",
        "blue topics: t is gone",
    ]
    assert changes(SITE, SITE, "blue") == []


def test_a_plan_with_a_stop_is_not_carried_out() -> None:
    stop = Finding(
        guard="two_sites", level=Level.stop, cause="blue and green are the same core", evidence="x"
    )
    with pytest.raises(PlanError, match="the plan says stop: blue and green are the same core"):
        refuse_stops(msgspec.structs.replace(PLAN, findings=[stop]))
    refuse_stops(msgspec.structs.replace(PLAN, findings=[msgspec.structs.replace(stop, level=Level.warn)]))
