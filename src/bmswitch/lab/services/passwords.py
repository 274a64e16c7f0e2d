"""Password hashes as in the log: `iterations:salt:hash`, PBKDF2 with HMAC-SHA1, hexadecimal (change-log.md 4)."""

import hashlib
import hmac
import os
import re

ITERATIONS = 1_000  # BlueMind takes 10,000; a lab with hundreds of logins a second on two cores can not
_SIZE = 32
_FORMAT = re.compile(r"\d+:[0-9a-f]{16,}:[0-9a-f]{16,}")


def is_hash(text: str) -> bool:
    """Whether a text is already a hash: such a one is stored unchanged (clone-and-api.md 4.1)."""
    return _FORMAT.fullmatch(text) is not None


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """A hash of a plain password, or the text itself when it is a hash."""
    if is_hash(password):
        return password
    salt = os.urandom(16) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, ITERATIONS, _SIZE)
    return f"{ITERATIONS}:{salt.hex()}:{digest.hex()}"


def verify(password: str, stored: str) -> bool:
    """Whether a password belongs to a hash; any iteration count and size."""
    if not is_hash(stored):
        return False
    iterations, salt, digest = stored.split(":")
    wanted = bytes.fromhex(digest)
    found = hashlib.pbkdf2_hmac("sha1", password.encode(), bytes.fromhex(salt), int(iterations), len(wanted))
    return hmac.compare_digest(found, wanted)
