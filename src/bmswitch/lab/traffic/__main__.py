"""`python -m bmswitch.lab.traffic CONFIG.json`: the load as a process of its own."""

import sys
from pathlib import Path

import msgspec

from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.run import main
from bmswitch.model.errors import BmswitchError, ConfigError


def _start(arguments: list[str]) -> int:
    try:
        if len(arguments) != 1:
            raise ConfigError("one argument is expected: the load's configuration file")
        main(msgspec.json.decode(Path(arguments[0]).read_bytes(), type=TrafficConfig))
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"error: {arguments[0]} can not be used: {error}\n")
        return ConfigError.exit_code
    except BmswitchError as error:
        sys.stderr.write(f"error: {error.cause}: {error.evidence}\n")
        return error.exit_code
    return 0


sys.exit(_start(sys.argv[1:]))
