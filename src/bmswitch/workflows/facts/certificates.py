"""Reads the certificates that clients see at the frontends, and those of both sides behind them."""

import hashlib
import socket
import ssl
from concurrent.futures import Executor
from urllib.parse import urlsplit

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import CertificateFacts, SideFacts
from bmswitch.workflows.facts.network import addresses
from bmswitch.workflows.sites import verification

_WITHIN = 3.0
_SIDE_PORTS = (443, 993, 995, 465)
_MAIL_PORTS = frozenset({993, 995, 465})


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One listener: where to connect, which name a client says, and what the answer is filed under."""

    address: str
    port: int
    name: str
    at: str
    host: str
    colour: str = ""


def certificate_facts(
    config: Config, pool: Executor, source: SideFacts, *, both_sides: bool
) -> list[CertificateFacts]:
    """All of them, asked side by side; `both_sides` asks the machines behind the proxies, too."""
    asked = _frontends(config)
    if both_sides:
        name = urlsplit("//" + (source.sysconf or {}).get("external_url", "").rpartition("//")[2]).hostname
        asked += [
            _Asked(
                address=address,
                port=port,
                name=name or address,
                at=f"{colour} {uid}:{port}",
                host=uid,
                colour=colour,
            )
            for colour in (source.colour, config.standby)
            for uid, address in sorted(addresses(config, source, colour).items())
            for port in _SIDE_PORTS
        ]
    trust = verification(config.source.tls)
    return list(pool.map(lambda one: _read(one, trust), asked))


def _frontends(config: Config) -> list[_Asked]:
    found: list[_Asked] = []
    for node in config.proxies:
        for url in node.frontends.http:
            parts = urlsplit(url)
            if parts.scheme == "https" and parts.hostname:
                found.append(_frontend(node.name, parts.hostname, parts.port or 443))
        for at in node.frontends.imap + node.frontends.smtp:
            host, _, port = at.rpartition(":")
            if int(port) in _MAIL_PORTS:
                found.append(_frontend(node.name, host.strip("[]"), int(port)))
    return found


def _frontend(node: str, host: str, port: int) -> _Asked:
    return _Asked(address=host, port=port, name=host, at=f"{node} {host}:{port}", host=host)


def _read(one: _Asked, trust: bool | str) -> CertificateFacts:  # noqa: FBT001 -- as httpx names it
    """The certificate, and whether a client trusts it; behind the proxies nobody verifies."""
    facts = CertificateFacts(at=one.at, host=one.host, port=one.port, colour=one.colour)
    verified, until = "", 0.0
    if not one.colour and trust is not False:
        context = ssl.create_default_context(cafile=trust if isinstance(trust, str) else None)
        try:
            raw, until = _shake(one, context)
        except ssl.SSLCertVerificationError as error:
            verified = error.verify_message
        except OSError as error:
            return msgspec.structs.replace(facts, error=type(error).__name__)
        else:
            return msgspec.structs.replace(facts, fingerprint=hashlib.sha256(raw).hexdigest(), until=until)
    try:
        raw, _ = _shake(one, _believing())
    except OSError as error:
        return msgspec.structs.replace(facts, error=type(error).__name__, verified=verified)
    return msgspec.structs.replace(facts, fingerprint=hashlib.sha256(raw).hexdigest(), verified=verified)


def _shake(one: _Asked, context: ssl.SSLContext) -> tuple[bytes, float]:
    """The certificate (DER) and until when it is valid; 0 when it was not verified: then nothing but the bytes is told."""
    with (
        socket.create_connection((one.address, one.port), timeout=_WITHIN) as plain,
        context.wrap_socket(plain, server_hostname=one.name) as secured,
    ):
        raw, told = secured.getpeercert(binary_form=True), secured.getpeercert()
    until = told.get("notAfter") if told else None
    return raw or b"", ssl.cert_time_to_seconds(until) if isinstance(until, str) else 0.0


def _believing() -> ssl.SSLContext:
    """Without authorities, whose loading takes longer than the call."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
