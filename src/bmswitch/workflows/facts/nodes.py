"""Reads the proxy nodes for the guards."""

import contextlib

from bmswitch.model.config import AnyNode
from bmswitch.model.errors import BmswitchError, UnknownError, UnreachableError
from bmswitch.model.guards.facts import NodeFacts
from bmswitch.proxy.api import ProxyNode
from bmswitch.proxy.open import open_node
from bmswitch.workflows.facts.attempt import told


def node_facts(wanted: AnyNode) -> NodeFacts:
    """One proxy node as it really is; opened for this look."""
    try:
        with contextlib.closing(open_node(wanted)) as node:
            return look(node)
    except (UnreachableError, UnknownError) as error:
        return NodeFacts(wanted.name, "unknown", 0, told(error))


def look(node: ProxyNode) -> NodeFacts:
    """One open node as it really is."""
    try:
        state = node.read()
    except BmswitchError as error:
        return NodeFacts(node.name, "unknown", 0, told(error))
    return NodeFacts(node.name, state.colour, state.hold_until_ms)
