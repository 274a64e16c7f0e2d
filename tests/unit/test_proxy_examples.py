"""The examples are what the renderer writes: they can not grow old."""

import importlib.util
import re
from pathlib import Path

import pytest

from bmswitch.proxy.haproxy_render import render_haproxy

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "proxy"


@pytest.mark.parametrize("name", ["haproxy.cfg", "hold.lua", "cut.map"])
def test_the_haproxy_example_is_what_is_rendered(name: str, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("render", EXAMPLES / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    render_haproxy(tmp_path, render.LISTENERS, render.BACKENDS)
    written = (tmp_path / name).read_text().replace(str(tmp_path), "/etc/haproxy/bmswitch")
    assert _same(written) == _same((EXAMPLES / name).read_text())


def _same(text: str) -> str:
    """`maxconn` follows the limit of open files of the machine."""
    return re.sub(r"maxconn \d+", "maxconn N", text)
