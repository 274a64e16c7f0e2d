"""The examples are what the renderer writes: they can not grow old."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from bmswitch.proxy.haproxy_render import render_haproxy
from bmswitch.proxy.nginx_render import render_nginx

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "proxy"


@pytest.mark.parametrize("name", ["haproxy.cfg", "hold.lua", "cut.map"])
def test_the_haproxy_example_is_what_is_rendered(name: str, tmp_path: Path) -> None:
    render = example()
    render_haproxy(tmp_path, render.LISTENERS, render.BACKENDS)
    written = (tmp_path / name).read_text().replace(str(tmp_path), "/etc/haproxy/bmswitch")
    assert _same(written) == _same((EXAMPLES / name).read_text())


@pytest.mark.parametrize(
    "name", ["nginx.conf", "bmswitch.js", "http.conf", "server.conf", "stream.conf", "state"]
)
def test_the_nginx_example_is_what_is_rendered(name: str, tmp_path: Path) -> None:
    render = example()
    render_nginx(tmp_path, render.LISTENERS, render.BACKENDS, probe="127.0.0.1:8099", user="www-data")
    written = (tmp_path / name).read_text().replace(str(tmp_path), "/etc/nginx/bmswitch")
    assert _same(written) == _same((EXAMPLES / "nginx" / name).read_text())


def example() -> ModuleType:
    """The example's own renderer."""
    spec = importlib.util.spec_from_file_location("render", EXAMPLES / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    return render


def _same(text: str) -> str:
    """Some numbers follow the limit of open files of the machine."""
    return re.sub(r"(maxconn|worker_rlimit_nofile|worker_connections) \d+", r"\1 N", text)
