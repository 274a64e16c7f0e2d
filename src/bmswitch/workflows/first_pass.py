"""Whether a run's first pass is folded, and from which state: kept in `fold.json` of the run folder."""

from pathlib import Path

import msgspec

from bmswitch.replication import state
from bmswitch.replication.folding import Folded, FoldingSource
from bmswitch.replication.source import KafkaSource


def folded_first_pass(
    run_dir: Path, group: str, source: KafkaSource, *, first_run: bool
) -> FoldingSource | None:
    """`source` folded up to the end of its snapshot; None when this run folder copies as it is.

    `first_run`: the target was found empty and nothing was written yet. Only then a snapshot is taken; a run that finds one of
    the same group goes on with it. A copy that began without one goes on as it is.
    """
    known = state.load_fold(run_dir)
    mine = known if known is not None and known.group == group else None
    if mine is None and not first_run:
        return None
    kept = mine or state.FoldState(group, {topic: list(ends) for topic, ends in source.ends().items()})
    if mine is None:
        state.save_fold(run_dir, kept)

    def tell(folded: Folded) -> None:
        """Counts of an earlier run stay when this one had nothing left to read."""
        if folded.read or not kept.done:
            state.save_fold(
                run_dir, msgspec.structs.replace(kept, read=folded.read, kept=folded.kept, done=True)
            )

    return FoldingSource(source, source.start, kept.ends, run_dir, fresh=mine is None, tell=tell)
