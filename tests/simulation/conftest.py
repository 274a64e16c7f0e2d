"""Makes `tests.simulation` importable from the repository's root, so that a seed can be replayed by hand too."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
