"""The machine of bmswitch fails in the hold: its disk is full, its clock jumps. Each has one defined end."""

import resource
import time

import pytest
from tests.integration.kill_kit import (
    Labs,
    clients_at_work,
    clock_jumps_at,
    end_it,
    explained,
    nothing_lost,
    one_side_serves,
    state_of_journal,
    strike,
)

pytestmark = pytest.mark.timeout(300)


def test_a_full_disk_stops_the_switch_and_blue_serves_again(labs: Labs) -> None:
    """The limit on the size of its files is what this process meets, so that the lab's own disk stays as it is."""
    line = labs.ready()
    journal = line.lab / "run" / "journal.ndjson"
    with clients_at_work(line) as clients:

        def full(pid: int) -> None:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (journal.stat().st_size + 40,) * 2)

        code, answer = strike(line, "barrier", "before-effect", full)
        assert (code, answer["error"]["kind"]) == (13, "journal"), answer
        assert "can not be written" in answer["error"]["cause"]
        assert "lease" in answer["error"]["consequence"]
        side, _ = end_it(line, "--resume")
        assert side == "blue"
        ended = time.time()
        clients.served(ended)
    assert state_of_journal(line).outcome == "aborted"
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", explained(line, ended))


def test_a_wall_clock_that_jumps_in_the_hold_turns_back(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        code, answer = clock_jumps_at(line, "barrier", "before-effect")
        assert (code, answer["result"]["serving"]) == (12, "blue"), answer
        assert "the wall clock has jumped by 5" in answer["error"]["cause"], answer
        clients.served(time.time())
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", None)
