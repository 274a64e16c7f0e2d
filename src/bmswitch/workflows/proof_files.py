"""The files of a proof in the run folder: the verdict, every difference as a line and as a tree."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BmswitchError, DifferentError, JournalError, UnknownError
from bmswitch.model.proof import Proof
from bmswitch.parity.tree import tree

PROOF_FILE = "proof.json"
DIFFERENCES_FILE = "differences.ndjson"
TREE_FILE = "differences.txt"
PART = "part-"
"""What files of a proof of a part begin with: a switch must never take it for the whole."""


@dataclass
class Outcome:
    """The proof and every difference, known ones and those that never stood still (`unsettled`) included."""

    proof: Proof
    differences: list[Difference] = field(default_factory=list)
    unsettled: list[Difference] = field(default_factory=list)


def save(run_dir: Path, outcome: Outcome, *, source: str = "blue", target: str = "green") -> None:
    """Writes the proof's files, each replaced whole; the proof last, so that it never stands without its differences."""
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = PART if outcome.proof.scope else ""
    lines = (msgspec.json.encode(one) + b"\n" for one in outcome.differences)
    _replace(run_dir / (part + DIFFERENCES_FILE), lines)
    shown = (f"{line}\n".encode() for line in tree(outcome.differences, source, target))
    _replace(run_dir / (part + TREE_FILE), shown)
    proof = msgspec.json.format(msgspec.json.encode(outcome.proof), indent=2)
    _replace(run_dir / (part + PROOF_FILE), [proof, b"\n"])


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    try:
        replace_file(path, parts)
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error


def load_proof(run_dir: Path) -> Proof | None:
    """The last proof of the run; None when there is none or when it can not be read."""
    try:
        return msgspec.json.decode((run_dir / PROOF_FILE).read_bytes(), type=Proof)
    except (OSError, msgspec.DecodeError):
        return None


def refusal(proof: Proof, where: Path) -> BmswitchError | None:
    """The error that a verdict other than `equal` ends the command with."""
    if proof.verdict == "equal":
        return None
    part = PART if proof.scope else ""
    if proof.verdict == "different":
        return DifferentError(
            f"the clone does not equal its source: {proof.differences} differences",
            evidence=str(where / (part + TREE_FILE)),
            consequence="traffic was not touched; a switch would be refused",
            next_command=f"read {part}{TREE_FILE}; bmswitch verify --repair mends what can be mended",
        )
    return UnknownError(
        f"{proof.unsettled} items changed faster than they could be read",
        evidence=str(where / (part + TREE_FILE)),
        next_command="bmswitch verify --rounds with a larger number, or at a quieter time",
    )
