"""What must be so before the machines that served are emptied."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.test_legs import EXAMPLE, over

from bmswitch.model.config import Config
from bmswitch.model.errors import RefusedError
from bmswitch.model.guards.facts import NodeFacts
from bmswitch.workflows import standby
from bmswitch.workflows.config import load_config
from bmswitch.workflows.promotion import save_promotion


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = msgspec.structs.replace(load_config(EXAMPLE), run_dir=str(tmp_path / "run"))
    over(made, 1)
    save_promotion(Path(made.run_dir), {}, {})
    return made


def nodes(monkeypatch: pytest.MonkeyPatch, *seen: NodeFacts) -> None:
    found = iter(seen)
    monkeypatch.setattr(standby, "node_facts", lambda _node: next(found))


def test_every_node_points_at_the_side_that_serves(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes(monkeypatch, NodeFacts("n1", "green", 0))
    assert standby.open_standby(config).config.standby == "blue"


@pytest.mark.parametrize("node", [NodeFacts("n1", "blue", 0), NodeFacts("n1", "unknown", 0, "no answer")])
def test_a_node_that_points_elsewhere_or_is_not_read_refuses(
    config: Config, monkeypatch: pytest.MonkeyPatch, node: NodeFacts
) -> None:
    nodes(monkeypatch, node)
    with pytest.raises(RefusedError, match="pointing at green") as refused:
        standby.open_standby(config)
    assert "n1" in refused.value.evidence


def test_both_sides_on_one_kafka_have_a_standby_too(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one log has what the new leader writes behind what the old one wrote: a fresh clone reads both (clone-and-api.md 2.8)."""
    shared = msgspec.structs.replace(
        config, replication=msgspec.structs.replace(config.replication, mode="shared")
    )
    nodes(monkeypatch, NodeFacts("n1", "green", 0))
    assert standby.open_standby(shared).config.standby == "blue"
