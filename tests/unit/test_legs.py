"""The legs of a run: which way is next, where it keeps its files, and what it must know of the one before."""

from pathlib import Path

import msgspec
import pytest

from bmswitch.journal.journal import Journal
from bmswitch.model.config import CommandProvision, Config, WayBack
from bmswitch.model.errors import BmswitchError, ConfigError, JournalError, RefusedError
from bmswitch.model.switch import Entry
from bmswitch.workflows.config import load_config
from bmswitch.workflows.legs import (
    current_leg,
    leg_folder,
    leg_of,
    leg_to_show,
    leg_to_switch,
    promotion_before,
    require_way_back,
    working_leg,
)
from bmswitch.workflows.promotion import load_promotion, refuse_other_writers, save_promotion

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lab.yaml"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return msgspec.structs.replace(load_config(EXAMPLE), run_dir=str(tmp_path / "run"))


def over(config: Config, number: int, outcome: str = "switched") -> None:
    folder = leg_folder(Path(config.run_dir), number)
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / "journal.ndjson") as journal:
        journal.append(Entry(kind="start", fence=1), 1)
        journal.append(
            Entry(kind="end", phase="done", outcome="switched" if outcome == "switched" else "aborted"), 2
        )


def test_the_first_leg_is_the_configuration_itself(config: Config) -> None:
    leg = current_leg(config)
    assert (leg.number, leg.back) == (1, False)
    assert leg.config == config


@pytest.mark.parametrize("number", [1, 2])
def test_status_has_a_leg_to_show_when_a_journal_is_damaged(config: Config, number: int) -> None:
    assert leg_to_show(config) == current_leg(config)
    for one in range(1, number + 1):
        over(config, one)
    path = leg_folder(Path(config.run_dir), number) / "journal.ndjson"
    path.write_bytes(path.read_bytes().replace(b'"fence":1', b'"fence":9'))
    with pytest.raises(JournalError):
        current_leg(config)
    assert leg_to_show(config).number == number


def test_a_switch_that_is_done_turns_the_configuration_around(config: Config) -> None:
    over(config, 1)
    leg = current_leg(config)
    assert (leg.number, leg.back) == (2, True)
    assert leg.config.serving == "green"
    assert leg.config.source == config.green
    assert leg.config.target == config.blue
    assert leg.config.run_dir == str(Path(config.run_dir) / "leg-2")


def test_the_third_leg_goes_forward_again(config: Config) -> None:
    over(config, 1)
    over(config, 2)
    leg = current_leg(config)
    assert (leg.number, leg.back) == (3, False)
    assert msgspec.structs.replace(leg.config, run_dir=config.run_dir) == config


def test_a_switch_that_was_put_back_ends_no_leg(config: Config) -> None:
    over(config, 1, "aborted")
    assert current_leg(config).number == 1


def test_commands_speak_of_the_done_leg_until_the_next_has_begun(config: Config) -> None:
    over(config, 1)
    assert working_leg(config).number == 1
    folder = leg_folder(Path(config.run_dir), 2)
    folder.mkdir()
    (folder / "plan.json").write_text("{}")
    assert working_leg(config).number == 2


def test_there_is_no_return_before_a_switch(config: Config) -> None:
    with pytest.raises(RefusedError, match="blue serves"):
        leg_to_switch(config, back=True)
    over(config, 1)
    assert leg_to_switch(config, back=True).number == 2
    assert leg_to_switch(config, back=False).number == 1
    over(config, 2)
    assert leg_to_switch(config, back=True).number == 2
    assert leg_to_switch(config, back=False).number == 3


def test_a_command_that_builds_green_does_not_rebuild_blue(config: Config) -> None:
    plain = msgspec.structs.replace(config, provision=CommandProvision(command=["build-green"]))
    with pytest.raises(ConfigError, match="blue's machines"):
        require_way_back(leg_of(plain, 2))
    told = msgspec.structs.replace(plain, way_back=WayBack(provision=CommandProvision(command=["rebuild"])))
    require_way_back(leg_of(told, 2))
    assert leg_of(told, 2).config.provision == CommandProvision(command=["rebuild"])
    assert leg_of(told, 3).config.provision == CommandProvision(command=["build-green"])


def test_servers_of_the_way_back_are_told_or_those_that_the_plan_has_read(config: Config) -> None:
    assert leg_of(config, 2).config.servers == {}
    told = msgspec.structs.replace(config, way_back=WayBack(servers={"bm-master": "10.0.0.1"}))
    assert leg_of(told, 2).config.servers == {"bm-master": "10.0.0.1"}


def test_where_the_logs_stood_is_kept_and_must_be_there(config: Config, tmp_path: Path) -> None:
    assert promotion_before(config, leg_of(config, 1)) is None
    with pytest.raises(RefusedError, match="where the logs stood"):
        promotion_before(config, leg_of(config, 2))
    Path(config.run_dir).mkdir()
    save_promotion(Path(config.run_dir), {"a": [1, 2]}, {"b": [3]})
    found = promotion_before(config, leg_of(config, 2))
    assert found is not None
    assert (found.source, found.target) == ({"a": [1, 2]}, {"b": [3]})
    (tmp_path / "run" / "promotion.json").write_text("{")
    with pytest.raises(BmswitchError, match="damaged"):
        load_promotion(tmp_path / "run")


def test_a_fenced_log_that_grew_is_refused_with_the_place() -> None:
    refuse_other_writers({"a": [1, 2]}, {"a": [1, 2]}, "blue")
    with pytest.raises(RefusedError, match="blue's log has changed") as grown:
        refuse_other_writers({"a": [1, 2]}, {"a": [1, 3]}, "blue")
    assert "a partition 1 ends at 3, was 2" in grown.value.evidence
    with pytest.raises(RefusedError, match="blue's log has changed") as gone:
        refuse_other_writers({"a": [1, 2]}, {}, "blue")
    assert "a is gone" in gone.value.evidence
