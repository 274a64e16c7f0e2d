"""The gate's files in its folder: state, endpoints, HTTP hold, TCP hold, and the lock of the one gate that may write them."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from bmswitch.files import sync
from bmswitch.model.errors import BusyError, ConfigError, JournalError
from bmswitch.proxy import envoy_files as files
from bmswitch.proxy.files import replace_file

_LOCK: Final = "gate.lock"


class GateFiles:
    """Reads and replaces the files of one folder. No policy."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def config(self) -> files.GateConfig:
        """`gate.json`.

        Raises:
            ConfigError: missing or damaged.
        """
        path = self.directory / files.GATE
        try:
            return msgspec.json.decode(path.read_bytes(), type=files.GateConfig)
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"the gate's configuration {path} can not be read",
                evidence=str(error),
                next_command="render the folder first: docs/proxy.md, Envoy",
            ) from error

    def state(self) -> files.GateState:
        """`state.json`.

        Raises:
            JournalError: missing or damaged: which colour serves is then nothing to guess.
        """
        path = self.directory / files.STATE
        try:
            return msgspec.json.decode(path.read_bytes(), type=files.GateState)
        except (OSError, msgspec.DecodeError) as error:
            raise JournalError(
                f"the gate's state {path} can not be read",
                evidence=str(error),
                consequence="Envoy goes on as it is; no hold and no flip is possible",
                next_command="look at the endpoint files beside it, then write the state again",
            ) from error

    def write_state(self, state: files.GateState, *, durable: bool) -> None:
        """`durable`: on the disk when it returns, which a new colour or fence needs; a lease is shorter than a reboot."""
        text = msgspec.json.encode(state).decode() + "\n"
        replace_file(self.directory / files.STATE, text, durable=durable)

    def write_endpoints(self, clusters: list[files.GateCluster], state: files.GateState) -> None:
        """One file for each cluster; `sync_endpoints` makes them durable afterwards."""
        version = str(time.time_ns())
        for cluster in clusters:
            path = self.directory / files.eds_file(cluster.name)
            replace_file(path, files.eds_text(cluster, state.colour, version), durable=False)

    def sync_endpoints(self, clusters: list[files.GateCluster]) -> None:
        """On the disk when it returns: a restart of the machine comes back with the right colour even before the gate."""
        for cluster in clusters:
            sync(self.directory / files.eds_file(cluster.name))
        sync(self.directory)

    def write_hold(self, *, held: bool) -> None:
        """HTTP and TCP hold on or off; not waited for on the disk, as a lease is shorter than a reboot."""
        runtime = files.runtime_text(str(time.time_ns()), held=held)
        replace_file(self.directory / files.RUNTIME, runtime, durable=False)
        replace_file(self.directory / files.PRESSURE, files.pressure_text(held=held), durable=False)

    def lock(self, *, timeout: float) -> int:
        """The descriptor that holds the lock while it is open; tries for `timeout` seconds.

        Raises:
            BusyError: another gate lives.
        """
        descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                os.close(descriptor)
                raise BusyError(f"another gate runs in {self.directory}") from None
            return descriptor
