"""Names of an installation's topics and back (change-log.md 1.1). No I/O."""

import re
from enum import StrEnum
from functools import lru_cache

import msgspec

PREFIX = "bluemind-"
ORPHANS = "__orphans__"
PRESYNC = "__presync"
CRP = "crp-dir-entries"
NODES = "bluemind_cluster-__nodes__"
"""The cluster's own topic: which machine runs what (traffic-and-objects.md D). It belongs to no installation's log."""

_HEX = re.compile(r"[0-9a-f]{32}")
_DOMAIN = re.compile(r"([a-zA-Z0-9-]+\.)+[a-z]{2,}")


class TopicKind(StrEnum):
    """What a topic of an installation holds."""

    ORPHANS = "orphans"
    PRESYNC = "presync"
    CRP = "crp"
    DOMAIN = "domain"


class TopicName(msgspec.Struct, frozen=True):
    """A parsed name: 32 hex characters of the installation, kind, and the domain (domain and presync only)."""

    hex_id: str
    kind: TopicKind
    domain: str = ""


def hex_id(installation_id: str) -> str:
    """`bluemind-<uuid>` as the 32 characters that start every topic name."""
    return installation_id.removeprefix(PREFIX).replace("-", "")


def installation_id(hex_: str) -> str:
    """The 32 characters back as `bluemind-<uuid>`; a leading `sync` is dropped."""
    bare = hex_.removeprefix("sync")
    return PREFIX + "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))


def orphans(iid: str) -> str:
    """Topic of what has no domain: topology, domains, settings, id sequences."""
    return f"{hex_id(iid)}-{ORPHANS}"


def domain(iid: str, domain_uid: str) -> str:
    """Topic of one mail domain."""
    return f"{hex_id(iid)}-{domain_uid}"


def presync(iid: str, domain_uid: str) -> str:
    """Repair topic of one domain: directory entries replayed before the domain's topic."""
    return f"{hex_id(iid)}-{domain_uid}{PRESYNC}"


def crp(iid: str) -> str:
    """Directory topic that the reverse proxy derives and the clone needs (change-log.md 8.6)."""
    return f"{hex_id(iid)}-{CRP}"


@lru_cache(1024)
def parse(name: str) -> TopicName | None:
    """What a topic is, or None when it belongs to no installation's live log (heartbeats, audit, `sync...`)."""
    prefix, dash, rest = name.partition("-")
    if not dash or not _HEX.fullmatch(prefix):
        return None
    if rest == ORPHANS:
        return TopicName(prefix, TopicKind.ORPHANS)
    if rest == CRP:
        return TopicName(prefix, TopicKind.CRP)
    uid = rest.removesuffix(PRESYNC)
    if not _DOMAIN.fullmatch(uid):
        return None
    return TopicName(prefix, TopicKind.PRESYNC if rest.endswith(PRESYNC) else TopicKind.DOMAIN, uid)
