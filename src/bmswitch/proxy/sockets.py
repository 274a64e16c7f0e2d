"""Connections of processes on this machine, as the kernel has them.

Asked as `ss` asks (netlink, sock_diag(7)): `/proc/net/tcp` lists ended connections too, and takes ten times as long.
"""

import errno
import ipaddress
import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bmswitch.model.config import HostPort
from bmswitch.model.errors import UnknownError, UnreachableError, UnsupportedError
from bmswitch.proxy.layout import split_address

Endpoint = tuple[str, int]
"""Address (IPv4 in its short form, IPv4 within IPv6 too) and port."""

_PROC: Final = Path("/proc")
_ESTABLISHED: Final = 1 << 1
_BUSY: Final = _ESTABLISHED | (1 << 2)  # or SYN_SENT
_LISTEN: Final = 1 << 10
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_DUMP: Final = 0x301  # a request for all
_HEADER: Final = struct.Struct("=IHHII")
_QUESTION: Final = struct.Struct("=BBBBI48s")
_ANSWER: Final = struct.Struct(">4xHH16s16s")
_QUEUE_AT: Final = 60
_INODE_AT: Final = 68
_IDENTITY: Final = 48
_DESTROY: Final = 21
_ACKNOWLEDGED: Final = 5  # a request with an answer
_ERROR: Final = 2
_DONE: Final = 3
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


class Connection(msgspec.Struct, frozen=True):
    """One connection: both ends and the inode by which its process has it open.

    `family` and `identity` are the kernel's own words for it, a cookie included: another connection never has them. `queue` of a
    listener: how many connections may wait to be accepted.
    """

    local: Endpoint
    remote: Endpoint
    inode: int
    family: int = 0
    identity: bytes = b""
    queue: int = 0


def connections(pids: Iterable[int]) -> Counter[Endpoint]:
    """Connections of these processes, counted by the other end; those whose other end has closed do not count.

    Raises:
        UnknownError: they may not be looked at.
    """
    return Counter(one.remote for one in open_connections(pids))


def open_connections(pids: Iterable[int]) -> Iterator[Connection]:
    """Connections of these processes, one by one.

    Raises:
        UnknownError: they may not be looked at.
    """
    own = {inode for pid in pids for inode in _sockets(pid)}
    return (one for one in _ask(_BUSY) if one.inode in own)


def end_connections(pids: Iterable[int], remotes: set[Endpoint], at_most: int) -> int:
    """The kernel resets up to `at_most` connections of these processes to `remotes`, as `ss --kill` does; returns how many.

    For proxies that have no command for it. Both ends see an error at once; one that has ended meanwhile does not count.

    Raises:
        UnsupportedError: this kernel can not, or this user may not.
        UnknownError: the connections may not be looked at.
    """
    chosen = [one for one in open_connections(pids) if one.remote in remotes][: max(0, at_most)]
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as link:
            link.settimeout(1)
            return sum(_destroy(link, one) for one in chosen)
    except OSError as error:
        raise UnsupportedError(
            "the kernel of this machine ends no connection for us",
            evidence=str(error),
            consequence="kept sessions stay until a server or a client ends them",
            next_command="run bmswitch as root (CAP_NET_ADMIN) there, on a kernel with CONFIG_INET_DIAG_DESTROY",
        ) from error


def _destroy(link: socket.socket, one: Connection) -> bool:
    question = struct.pack("=BBBBI", one.family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + one.identity
    link.send(_HEADER.pack(_HEADER.size + len(question), _DESTROY, _ACKNOWLEDGED, 1, 0) + question)
    (number,) = struct.unpack_from("=i", link.recv(4096), _HEADER.size)
    if number not in {0, -errno.ENOENT}:
        raise OSError(-number, os.strerror(-number))
    return bool(number == 0)


def shortest_queue(pids: Iterable[int], *, but: frozenset[Endpoint] = frozenset()) -> int | None:
    """Connections that may wait at the listener of these processes with the least room; None without any.

    Several sockets of one address (one for each worker) count together; `but` are not looked at.

    Raises:
        UnknownError: they may not be looked at.
    """
    own = {inode for pid in pids for inode in _sockets(pid)}
    room: Counter[Endpoint] = Counter()
    for one in {found.inode: found for found in _ask(_LISTEN) if found.inode in own}.values():
        room[one.local] += one.queue
    return min((queue for end, queue in room.items() if end not in but), default=None)


def arrived(ports: set[int]) -> dict[int, int]:
    """Open connections of this machine by the port at which they arrived, for each of `ports` at which something listens.

    Raises:
        UnknownError: the kernel does not tell.
    """
    listening = {one.local[1] for one in _ask(_LISTEN)} & ports
    found = Counter(one.local[1] for one in _ask(_ESTABLISHED) if one.local[1] in listening)
    return {port: found[port] for port in listening}


def listener(url: str) -> int | None:
    """Pid of the process of this machine that listens where `url` leads; None when none is found."""
    parts = urlsplit(url)
    ends = resolve(f"{parts.hostname}:{parts.port or 80}")
    everywhere = {(host, port) for _, port in ends for host in ("0.0.0.0", "::")}  # noqa: S104 -- only compared
    inodes = {one.inode for one in _ask(_LISTEN) if one.local in ends | everywhere}
    for pid in (int(one.name) for one in _PROC.iterdir() if one.name.isdecimal()):
        try:
            if not inodes.isdisjoint(_sockets(pid)):
                return pid
        except UnknownError:
            continue  # another user's
    return None


def parse_connection(family: int, body: bytes) -> Connection:
    """One `inet_diag_msg` of the kernel."""
    own_port, port, own, other = _ANSWER.unpack_from(body)
    size = 4 if family == socket.AF_INET else 16
    (inode,) = struct.unpack_from("=I", body, _INODE_AT)
    (queue,) = struct.unpack_from("=I", body, _QUEUE_AT)
    return Connection(
        (_short(ipaddress.ip_address(own[:size])), own_port),
        (_short(ipaddress.ip_address(other[:size])), port),
        inode,
        family,
        body[4 : 4 + _IDENTITY],
        queue,
    )


def resolve(address: HostPort) -> set[Endpoint]:
    """All that an address of the configuration can be in the kernel's tables.

    Raises:
        UnreachableError: its name can not be resolved.
    """
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnreachableError(f"the address {address} can not be resolved", evidence=str(error)) from error
    return {(_short(ipaddress.ip_address(one[4][0])), port) for one in found}


def _short(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _ask(states: int) -> Iterator[Connection]:
    """TCP connections in the given states (a bit each), of IPv4 and IPv6."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as link:
                link.settimeout(1)
                question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, states, b"")
                link.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _DUMP, 1, 0) + question)
                yield from (parse_connection(family, body) for body in _bodies(link))
        except OSError as error:
            raise UnknownError(
                "the kernel does not tell the connections of this machine",
                evidence=str(error),
                next_command="see that `ss -t` works here (kernel modules inet_diag, tcp_diag)",
            ) from error


def _bodies(link: socket.socket) -> Iterator[bytes]:
    """Each message's content until the kernel is done."""
    while True:
        data = link.recv(1 << 18)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                (number,) = struct.unpack_from("=i", data, at + _HEADER.size)
                raise OSError(-number, os.strerror(-number))
            yield data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def _sockets(pid: int) -> list[int]:
    folder = _PROC / str(pid) / "fd"
    try:
        links = [_link(one.path) for one in os.scandir(folder)]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended
    except PermissionError as error:
        raise UnknownError(
            "the connections of the proxy can not be counted",
            evidence=f"{folder}: {error.strerror}",
            next_command="run bmswitch as root on the machine of this proxy",
        ) from error
    return [int(found[1]) for found in map(_SOCKET.fullmatch, links) if found]


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 -- thousands of them: plain strings
    except OSError:
        return ""
