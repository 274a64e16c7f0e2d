"""Defects that the simulation has found, as the shortest list of faults that showed each; they stay found."""

import pytest
from tests.simulation.faults import Fault
from tests.simulation.simulate import simulate

FOUND: dict[str, list[Fault]] = {
    "a late demotion was awaited from its intent on, not from when its caller gave up": [
        Fault(kind="late-effect", phase="fence", ms=669),
    ],
    "a late demotion after bmswitch had stood still before sending it": [
        Fault(kind="freeze-before-effect", phase="fence", ms=1500),
        Fault(kind="late-effect", phase="fence", ms=790),
    ],
    "a late demotion of a process that was killed, after another one was answered": [
        Fault(kind="late-effect", phase="fence", ms=780),
        Fault(kind="crash-waiting", phase="fence", nth=1),
        Fault(kind="crash-waiting", phase="aborting"),
    ],
    "a slow demotion outlived the process that had asked for it": [
        Fault(kind="slow-answer", phase="fence", ms=1134),
        Fault(kind="crash-waiting", phase="fence"),
    ],
    "the way back gave up a node that points at green, demoted green and released the node": [
        Fault(kind="operator-aborts", phase="flip"),
        Fault(kind="node-restarts", phase="aborting", node=-1, ms=1200),
    ],
    "the way back turned forward again although green was demoted already": [
        Fault(kind="operator-aborts", phase="flip"),
        Fault(kind="node-restarts", phase="flip", nth=1, node=-1, ms=1100),
        Fault(kind="node-restarts", phase="aborting", nth=1, node=-1, ms=1100),
    ],
    "a refusal of the second try hid that the first promotion was still under way: both sides led": [
        Fault(kind="late-effect", phase="promote", ms=2248),
        Fault(kind="crash-after-effect", phase="promote"),
    ],
    "a node that was flipped late was held again after the release, and left so": [
        Fault(kind="node-disagrees", phase="promote", node=-1, ms=2139),
    ],
    "a hold was renewed on a node that had restarted without it: what went to blue in between was not seen": [
        Fault(kind="node-forgets", phase="fence", nth=3, ms=1000),
    ],
    "a resumed way back went forward to green after blue had served": [
        Fault(kind="operator-aborts", phase="flip"),
        Fault(kind="node-disagrees", phase="aborting", node=-1, ms=1665),
    ],
}


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_defect_stays_found(name: str) -> None:
    for seed in range(25):
        simulate(seed, faults=FOUND[name])


def test_the_reason_for_turning_back_is_told_once_however_often_the_way_back_starts() -> None:
    faults = [Fault(kind="target-dies", phase="promote", nth=1)]
    reasons = [run.reason for run in (simulate(seed, faults=faults) for seed in range(25)) if run.lives > 2]
    assert reasons
    assert all(reason.count("put back because") == 1 for reason in reasons)
