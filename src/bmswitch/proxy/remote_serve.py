"""The other end of `proxy/remote.py`: a driver told by lines of JSON on its standard input, until that ends."""

import contextlib
from typing import BinaryIO

import msgspec

from bmswitch.model.config import AnyNode
from bmswitch.model.errors import BmswitchError, ConfigError
from bmswitch.proxy.api import ProxyNode
from bmswitch.proxy.files import wall_ms
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.open import open_node
from bmswitch.proxy.remote import Ask, Failure, Told


def serve_node(lines: BinaryIO, answers: BinaryIO) -> None:
    """The first line is the node, each further one a call; returns at the end of the lines, when the caller has gone.

    Raises:
        ConfigError: a line that is not understood.
    """
    first = lines.readline()
    if not first:
        return
    try:
        node = msgspec.json.decode(first, type=AnyNode)
        with contextlib.closing(open_node(node)) as driver:
            for line in lines:
                told = _answer(driver, node, msgspec.json.decode(line, type=Ask))
                answers.write(msgspec.json.encode(told) + b"\n")
                answers.flush()
    except msgspec.DecodeError as error:
        raise ConfigError(
            "a line is not understood: another bmswitch starts this command, by the `via` of a node",
            evidence=str(error),
            next_command="install the same version on both machines: docs/proxy.md, nodes on other machines",
        ) from error


def _answer(driver: ProxyNode, node: AnyNode, ask: Ask) -> Told:
    try:
        return _do(driver, node, ask)
    except BmswitchError as error:
        failure = Failure(
            name=type(error).__name__,
            cause=error.cause,
            evidence=error.evidence,
            consequence=error.consequence,
            next_command=error.next_command,
        )
        return Told(clock_ms=wall_ms(), failure=failure)


def _do(driver: ProxyNode, node: AnyNode, ask: Ask) -> Told:
    match ask.verb:
        case "read":
            return Told(state=driver.read(), clock_ms=wall_ms())
        case "in_flight":
            return Told(in_flight=driver.in_flight(ask.colour), clock_ms=wall_ms())
        case "sessions":
            return Told(sessions=driver.sessions(ask.colour), clock_ms=wall_ms())
        case "inspect":
            return Told(inspection=inspect_node(node), clock_ms=wall_ms())
        case "kick":
            ended = driver.kick(ask.colour, ask.at_most, ask.fence, kind=ask.kind)
            return Told(ended=ended, clock_ms=wall_ms())
        case "hold":
            driver.hold(ask.until_ms, ask.fence)
        case "flip":
            driver.flip(ask.colour, ask.fence)
        case "release":
            driver.release(ask.fence)
    return Told(clock_ms=wall_ms())
