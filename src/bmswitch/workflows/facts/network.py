"""Reads from the network what nobody tells: which ports of a side's machines are open from here, where the public name leads."""

import socket
import threading
from concurrent.futures import Executor
from urllib.parse import urlsplit

import httpx

from bmswitch.model.config import Colour, Config
from bmswitch.model.guards.cluster_ports_closed import PORTS as CLUSTER
from bmswitch.model.guards.facts import LinkFacts, PortFacts, PublicFacts, SideFacts
from bmswitch.model.guards.mail_ports_closed import PORTS as MAIL
from bmswitch.workflows.sites import trusting, verification

_CONNECT = 0.5
_RESOLVE = 3.0
_LINK = 5.0


def addresses(config: Config, source: SideFacts, colour: Colour) -> dict[str, str]:
    """Address of each machine of a side by its server uid: the source's topology, or what it is mapped to."""
    return source.servers if colour == source.colour else config.servers


def open_ports(config: Config, pool: Executor, source: SideFacts) -> list[PortFacts]:
    """The ports that should be closed and are not, of both sides; asked side by side."""
    asked = [
        PortFacts(colour, address, port)
        for colour, ports in ((source.colour, CLUSTER), (config.standby, CLUSTER + MAIL))
        for address in sorted(set(addresses(config, source, colour).values()))
        for port in ports
    ]
    return [port for port, reached in zip(asked, pool.map(_reached, asked), strict=True) if reached]


def public_facts(config: Config, source: SideFacts) -> PublicFacts:
    """Where clients get to by the public name of the source's configuration, and where the proxies listen."""
    host = public_host(source)
    proxies = sorted({address for name in frontend_hosts(config) for address in _resolved(name)[0]})
    found, error = _resolved(host) if host else ([], "")
    return PublicFacts(host=host, addresses=found, proxies=proxies, error=error)


def public_host(source: SideFacts) -> str:
    """The public name of the source's configuration; empty when it has none."""
    told = (source.sysconf or {}).get("external_url", "")
    return urlsplit(told if "//" in told else f"//{told}").hostname or ""


def link_facts(config: Config, pool: Executor) -> list[LinkFacts]:
    """Each public link as anybody gets it: no key, redirects followed."""
    trust = trusting(verification(config.source.tls))

    def ask(url: str) -> LinkFacts:
        try:
            answer = httpx.get(
                url,
                timeout=_LINK,
                verify=trust,
                trust_env=False,
                follow_redirects=True,
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return LinkFacts(url, 0, type(error).__name__)
        return LinkFacts(url, answer.status_code)

    return list(pool.map(ask, config.public_links))


def _reached(port: PortFacts) -> bool:
    try:
        socket.create_connection((port.address, port.port), timeout=_CONNECT).close()
    except OSError:
        return False
    return True


def frontend_hosts(config: Config) -> set[str]:
    """Every host that clients reach on a proxy node, as the configuration names it."""
    found: set[str] = set()
    for node in config.proxies:
        found |= {urlsplit(url).hostname or "" for url in node.frontends.http}
        found |= {at.rpartition(":")[0].strip("[]") for at in node.frontends.imap + node.frontends.smtp}
    return found - {""}


def _resolved(host: str) -> tuple[list[str], str]:
    """A name's addresses, or why there are none. A resolver that does not answer is left behind: it can not be stopped."""
    found: list[str] = []
    failed: list[str] = []

    def ask() -> None:
        try:
            told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.extend(sorted({str(address[0]) for *_, address in told}))
        except (OSError, UnicodeError) as error:
            failed.append(str(error))

    asking = threading.Thread(target=ask, daemon=True, name="resolve")
    asking.start()
    asking.join(_RESOLVE)
    if found:
        return found, ""
    return [], failed[0] if failed else f"no answer within {_RESOLVE:g} s"
