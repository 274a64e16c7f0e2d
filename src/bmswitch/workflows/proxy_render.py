"""The piece of configuration that a node's proxy needs, as its driver's renderer writes it, for the node's own folder."""

import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bmswitch.model.config import AnyNode, Config, EnvoyNode, NginxNode
from bmswitch.model.errors import ConfigError
from bmswitch.proxy import envoy_files, envoy_render, haproxy_render, nginx_render
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.layout import Backends, Listener
from bmswitch.proxy.nginx_script import state_text

_GATE_WRITES: Final = frozenset({envoy_files.STATE, envoy_files.RUNTIME, envoy_files.PRESSURE})


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """File name to its text; the paths in them are those of `folder`, where the node keeps its files.

    `state`: names of those that a running switch changes.
    """

    node: str
    driver: str
    folder: str
    files: dict[str, str]
    state: list[str]
    written: list[str] = []


def render_node(
    config: Config, name: str, listeners: list[Listener], backends: Backends, *, probe: str, spread: int = 0
) -> Rendered:
    """The files of the node called `name`. `probe` is nginx's own loopback `host:port`, unused by the others.

    `spread`: milliseconds by which the release of what was held is stretched.

    Raises:
        ConfigError: no such node, or addresses that do not fit together.
    """
    node = next((one for one in config.proxies if one.name == name), None)
    if node is None:
        raise ConfigError(
            f"no proxy node is called {name}",
            evidence="there are " + ", ".join(one.name for one in config.proxies),
        )
    if isinstance(node, NginxNode):
        folder = Path(node.state_file).parent
        files = nginx_render.nginx_pieces(folder, listeners, backends, probe=probe, spread=spread)
        files[nginx_render.STATE] = state_text("blue", hold_until_ms=0, fence=0)
        files = _named(files, nginx_render.STATE, Path(node.state_file))
        state = [Path(node.state_file).name]
        return Rendered(node=name, driver="nginx", folder=str(folder), files=files, state=state)
    return _by_renderer(node, listeners, backends, spread)


def write_rendered(rendered: Rendered, to: Path) -> Rendered:
    """Writes the files into `to`; a state that is there already is left alone."""
    to.mkdir(parents=True, exist_ok=True)
    wanted = [one for one in rendered.files if one not in rendered.state or not (to / one).exists()]
    for one in wanted:
        replace_file(to / one, rendered.files[one])
    return msgspec.structs.replace(rendered, written=wanted)


def _by_renderer(node: AnyNode, listeners: list[Listener], backends: Backends, spread: int) -> Rendered:
    """HAProxy's and Envoy's renderers write whole folders: into a passing one, whose name is then replaced."""
    with tempfile.TemporaryDirectory(prefix="bmswitch-") as passing:
        if isinstance(node, EnvoyNode):
            folder, driver = Path(node.gate).parent, "envoy"
            admin = urlsplit(node.admin).netloc
            envoy_render.render_envoy(Path(passing), listeners, backends, admin=admin, spread=spread)
        else:
            assert not isinstance(node, NginxNode)  # noqa: S101 -- narrows the type; the caller has answered it
            folder, driver = Path(node.map_file).parent, "haproxy"
            haproxy_render.render_haproxy(Path(passing), listeners, backends, spread=spread)
        files = {
            one.name: one.read_text(encoding="utf-8").replace(passing, str(folder))
            for one in sorted(Path(passing).iterdir())
        }
    if isinstance(node, EnvoyNode):
        state = [one for one in files if one in _GATE_WRITES or one.endswith(".eds.json")]
    else:
        files = _named(files, haproxy_render.MAP, Path(node.map_file))
        state = [Path(node.map_file).name]
    return Rendered(node=node.name, driver=driver, folder=str(folder), files=files, state=state)


def _named(files: dict[str, str], usual: str, path: Path) -> dict[str, str]:
    """The state file under the configured name, in the texts too."""
    default = str(path.parent / usual)
    renamed = {name: text.replace(default, str(path)) for name, text in files.items() if name != usual}
    return renamed | {path.name: files[usual]}
