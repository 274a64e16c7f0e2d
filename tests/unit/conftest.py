"""Makes `tests.unit` importable, so that tests of one subject share their helpers; properties have no deadline on a busy machine."""

import sys
from pathlib import Path

from hypothesis import settings

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
