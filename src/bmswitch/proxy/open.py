"""Opens the driver that a node's configuration names."""

from bmswitch.model.config import AnyNode, EnvoyNode, NginxNode
from bmswitch.proxy.api import ProxyNode
from bmswitch.proxy.envoy import EnvoyProxy
from bmswitch.proxy.haproxy import HaproxyProxy
from bmswitch.proxy.nginx import NginxProxy
from bmswitch.proxy.remote import RemoteProxy


def open_node(node: AnyNode, *, timeout: float = 2.0) -> ProxyNode:
    """A driver for `node`; nothing is sent yet. `timeout` bounds each of its calls, in seconds."""
    if node.via:
        return RemoteProxy(node, timeout=timeout)
    if isinstance(node, EnvoyNode):
        return EnvoyProxy(node, timeout=timeout)
    if isinstance(node, NginxNode):
        return NginxProxy(node, timeout=timeout)
    return HaproxyProxy(node, timeout=timeout)
