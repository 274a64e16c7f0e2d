"""Builds the target with the operator's own command: any tool that can be started from a shell fits."""

import os
import subprocess
import time
from pathlib import Path

from bmswitch.model.errors import RefusedError
from bmswitch.provision.api import BuildRequest

_LAST_LINES = 12


def environment(request: BuildRequest) -> dict[str, str]:
    """The documented variables: all start with `BMSWITCH_`; `BMSWITCH_SERVERS` is `uid=address` separated by spaces."""
    return {
        "BMSWITCH_TARGET": request.target,
        "BMSWITCH_TARGET_URL": request.target_url,
        "BMSWITCH_TARGET_VERSION": request.target_version,
        "BMSWITCH_TARGET_KAFKA": request.target_kafka,
        "BMSWITCH_INSTALLATION_ID": request.installation_id,
        "BMSWITCH_SERVERS": " ".join(f"{uid}={address}" for uid, address in sorted(request.servers.items())),
    }


class CommandProvisioner:
    """Runs `argv` once with the documented environment; exit code 0 means built. `name` is for messages."""

    def __init__(self, argv: list[str], timeout: float, *, name: str = "") -> None:
        self._argv = argv
        self._timeout = timeout
        self._name = name or Path(argv[0]).name

    def build(self, request: BuildRequest) -> str:
        """Runs the command to its end.

        Raises:
            RefusedError: it can not be started, ends with another code than 0, or does not end in time.
        """
        started = time.monotonic()
        try:
            done = subprocess.run(
                self._argv,
                env={**os.environ, **environment(request)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self._timeout,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise _refused(request, "can not be started", str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise _refused(request, f"did not end within {self._timeout:.0f} s", "it was stopped") from error
        if done.returncode != 0:
            last = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
            raise _refused(request, f"ended with exit code {done.returncode}", last)
        return f"by {self._name} in {time.monotonic() - started:.1f} s"


def _refused(request: BuildRequest, what: str, evidence: str) -> RefusedError:
    return RefusedError(
        f"the provisioning command {what}",
        evidence=evidence,
        consequence=f"{request.target} is as the command left it; traffic was not touched",
        next_command="mend it and run the same command again",
    )
