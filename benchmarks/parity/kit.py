"""What the benchmarks of the proof share: a served installation, what went over its wire, and where figures go."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bmswitch.bluemind.bulk import Bulk

FOLDER = Path(__file__).parent
RUNS = 5
"""Of which the quickest counts where processor time is compared: what other guests of the machine slow down is not ours."""


@contextmanager
def served(*given: object) -> Iterator[str]:
    """The address of a server as `parity.served` has it: users and items, workers and milliseconds; or `notes` and containers."""
    command = [sys.executable, "-m", "benchmarks.parity.served", *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class Counts(msgspec.Struct):
    """Bytes of HTTP that the server has read and written, heads too; TCP's own are not in it."""

    received: int
    sent: int


async def counted(url: str) -> Counts:
    """What has gone over the server's wire until this question came."""
    async with Bulk(url, "key", concurrency=1) as bulk:
        return msgspec.json.decode(await bulk.raw("/_counted"), type=Counts)


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
