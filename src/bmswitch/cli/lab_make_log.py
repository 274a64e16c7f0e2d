"""`bmswitch lab make-log`: a change log of production size, made up."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bmswitch.cli.render import Output, Progress, count, emit, size, table

if TYPE_CHECKING:
    from rich.console import Console

    from bmswitch.lab.makelog.write import MadeLog

_TIMES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def number(said: str) -> int:
    """`20M` as 20,000,000. Raises BadParameter."""
    found = re.fullmatch(r"(\d+)([kmg]?)", said.strip().lower())
    if not found or not int(found[1]):
        raise typer.BadParameter(f"{said} is no number of records; say 20M, 500k or 12345")
    return int(found[1]) * _TIMES[found[2]]


def run(
    *, users: int, records: int, seed: int, sizes: str, domain: str, to: Path, kafka: str, output: Output
) -> None:
    """Makes the log, into a folder or a Kafka."""
    from bmswitch.lab.makelog import write  # noqa: PLC0415 -- help stays fast
    from bmswitch.lab.makelog.story import Story, installation_of  # noqa: PLC0415 -- the same
    from bmswitch.model.config import Kafka  # noqa: PLC0415 -- the same

    iid = installation_of(seed)
    story = Story(users, records, seed=seed, domain=domain, installation=iid, sizes=sizes)
    progress = Progress()

    def tell(made: int) -> None:
        progress.update(f"{count(made)} of {count(records)} records")

    try:
        if kafka:
            made = write.to_kafka(story, iid, domain, Kafka(bootstrap=kafka), tell)
        else:
            made = write.to_folder(story, iid, domain, to, tell)
    finally:
        progress.close()
    emit("make-log", made, lambda screen, result: _show(screen, result, kafka or str(to)), output)


def _show(screen: "Console", made: "MadeLog", where: str) -> None:
    shown = table("type", "operation", "records", "bytes each")
    for kind in made.kinds:
        shown.add_row(kind.type, kind.operation, count(kind.records), count(round(kind.bytes / kind.records)))
    screen.print(shown)
    screen.print(
        f"made {count(made.records)} records ({size(made.bytes)}) in {made.seconds:.0f} s, in {where}: "
        + ", ".join(f"{name} {count(records)}" for name, records in made.topics.items())
    )
