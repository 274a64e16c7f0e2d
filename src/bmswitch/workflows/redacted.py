"""Key and value of a record for people: without password hashes, tokens and keys, and short.

Secrets stand in clear in the log (change-log.md 4): core tokens, the system configuration, hashes, account credentials.
"""

import re
from typing import Any

import msgspec

from bmswitch.bluemind.redact import HIDDEN, redact

LONGEST = 1000
_STRING = 80
_NAMES = r"passw|passphrase|secret|token|credential|access_?key|api_?key|auth_?key|private|keytab|hash|salt"
_NAME = re.compile(rf"{_NAMES}|^(?:key|data|sid)$", re.IGNORECASE)
_CLASSES = ("CoreTok", "SystemConf", "UserAccount")
_PAIR = re.compile(
    rf'("(?:[^"\\]*(?:{_NAMES})[^"\\]*|key|data|sid)"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|$)|[^"\s,}}\]][^,}}\]]*)',
    re.IGNORECASE | re.DOTALL,
)
_HASH = re.compile(r"\b\d{2,}:[0-9a-fA-F]{8,}\S*")
_BARE = re.compile(rf"(?:{_NAMES})[^\n]{{0,3}}[:=]", re.IGNORECASE)


def redacted(key: bytes, value: bytes | None) -> tuple[str, str]:
    """Both as text. The value of a class that is made of secrets is hidden whole; null is a tombstone."""
    shown_key = _text(key)
    if value is None:
        return shown_key, "null"
    if any(name.encode() in key or name.encode() in value for name in _CLASSES):
        return shown_key, f"{HIDDEN}: a value of this kind is made of secrets"
    try:
        parsed = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return shown_key, _text(value)
    return shown_key, _cut(_safe(msgspec.json.encode(_walk(parsed)).decode()))


def _walk(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if _NAME.search(str(name)) and inner not in (None, "", []) else _walk(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_walk(inner) for inner in value]
    if isinstance(value, str):
        if _BARE.search(value):
            return HIDDEN
        return value if len(value) <= _STRING else value[:_STRING] + " [cut]"
    return value


def _text(raw: bytes) -> str:
    """What is no JSON, or may be none, as text: names that look like a secret's lose what follows them."""
    return _cut(_safe(_PAIR.sub(rf'\1"{HIDDEN}"', raw.decode("utf-8", "backslashreplace"))))


def _safe(text: str) -> str:
    return _HASH.sub(HIDDEN, redact(text[: 20 * LONGEST]))


def _cut(text: str) -> str:
    """At most 1,000 characters, none of which moves a terminal's cursor."""
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return plain if len(plain) <= LONGEST else plain[:LONGEST] + " [cut]"
