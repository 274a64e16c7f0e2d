"""Looks at one running proxy, whatever its driver."""

import contextlib

import msgspec

from bmswitch.model.config import AnyNode, EnvoyNode, NginxNode
from bmswitch.proxy.clients import open_clients
from bmswitch.proxy.envoy_inspect import inspect_envoy
from bmswitch.proxy.haproxy_inspect import inspect_haproxy
from bmswitch.proxy.inspection import Inspection
from bmswitch.proxy.nginx_inspect import inspect_nginx
from bmswitch.proxy.remote import RemoteProxy


def inspect_node(node: AnyNode, *, timeout: float = 2.0) -> Inspection:
    """A look at one node; changes nothing, holds nothing. `timeout` bounds each question, in seconds.

    Raises:
        UnreachableError, UnknownError: the proxy does not answer.
    """
    if node.via:
        with contextlib.closing(RemoteProxy(node, timeout=timeout)) as there:
            return there.inspect()
    return msgspec.structs.replace(_inspect(node, timeout), connected=open_clients(node.frontends))


def _inspect(node: AnyNode, timeout: float) -> Inspection:
    if isinstance(node, NginxNode):
        return inspect_nginx(node, timeout=timeout)
    if isinstance(node, EnvoyNode):
        return inspect_envoy(node, timeout=timeout)
    return inspect_haproxy(node, timeout=timeout)
