"""Provisioning by command: documented environment, one exit code for success, the last lines when it fails."""

import sys

import pytest

from bmswitch.model.errors import RefusedError
from bmswitch.provision.api import BuildRequest
from bmswitch.provision.command import CommandProvisioner

REQUEST = BuildRequest(
    target="green",
    target_url="http://green:8090",
    target_version="5.1",
    target_kafka="kafka:9092",
    installation_id="bluemind-1",
    servers={"b": "10.0.0.2", "a": "10.0.0.1"},
)


def command(script: str, timeout: float = 20.0) -> CommandProvisioner:
    return CommandProvisioner([sys.executable, "-c", script], timeout)


def test_command_gets_the_documented_environment() -> None:
    script = "import os; raise SystemExit(os.environ['BMSWITCH_SERVERS'] != 'a=10.0.0.1 b=10.0.0.2')"
    assert command(script).build(REQUEST).startswith("by python")


def test_failure_shows_the_last_lines_and_leaves_traffic_alone() -> None:
    with pytest.raises(RefusedError, match="exit code 3") as caught:
        command("print('no disk'); raise SystemExit(3)").build(REQUEST)
    assert caught.value.evidence == "no disk"
    assert "traffic was not touched" in caught.value.consequence


def test_a_command_that_does_not_end_is_stopped() -> None:
    with pytest.raises(RefusedError, match="did not end within"):
        command("import time; time.sleep(30)", timeout=0.2).build(REQUEST)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(RefusedError, match="can not be started"):
        CommandProvisioner(["/nowhere/build-green"], 1.0).build(REQUEST)
