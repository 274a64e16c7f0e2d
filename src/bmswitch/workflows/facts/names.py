"""Asks DNS for the names that clients use: their addresses, and for how long resolvers keep them."""

from concurrent.futures import Executor
from ipaddress import ip_address

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.inventory import PublicName
from bmswitch.workflows.facts.network import frontend_hosts, public_host

_WITHIN = 3.0
_TYPES = ("A", "AAAA")


def public_names(config: Config, source: SideFacts, pool: Executor) -> list[PublicName]:
    """The public name of the source's configuration and every frontend that has a name, asked side by side."""
    names = {*frontend_hosts(config), public_host(source)} - {""}
    return list(pool.map(_asked, sorted(name for name in names if not _is_address(name))))


def _asked(name: str) -> PublicName:
    """One name, by the resolvers of this machine: its own hosts file has no TTL, and is not what clients see."""
    try:
        from dns.exception import DNSException  # noqa: PLC0415 -- only a plan needs it
        from dns.resolver import NXDOMAIN, NoAnswer, Resolver  # noqa: PLC0415 -- the same
    except ImportError:
        return PublicName(name=name, error="the package dnspython is missing: make setup")
    addresses: list[str] = []
    ttls: list[int] = []
    try:
        resolver = Resolver()
        for kind in _TYPES:
            try:
                answer = resolver.resolve(name, kind, lifetime=_WITHIN, search=False)
            except NoAnswer:
                continue
            addresses += [str(record) for record in answer]
            ttls += [int(rrset.ttl) for rrset in answer.response.answer]
    except NXDOMAIN:
        return PublicName(name=name, error="there is no such name")
    except (DNSException, OSError) as error:
        return PublicName(name=name, addresses=addresses, error=type(error).__name__)
    return PublicName(name=name, addresses=addresses, ttl=min(ttls, default=-1))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost"
    return True
