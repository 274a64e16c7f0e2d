"""Builds the target inside the lab: starts the stand-in installation, not installed yet, as a fresh machine would be."""

import sys

from bmswitch.model.config import Colour
from bmswitch.provision.command import CommandProvisioner

_TIMEOUT = 60.0


def local_provisioner(directory: str, target: Colour) -> CommandProvisioner:
    """The lab's own command for `directory`, run as the operator's would be."""
    return CommandProvisioner(
        [sys.executable, "-m", "bmswitch", "lab", "standby", "up", target, "--dir", directory], _TIMEOUT
    )
