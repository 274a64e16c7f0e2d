"""Which partition a record belongs to: BlueMind's own rule, from Java's string hash (change-log.md 2)."""

from functools import lru_cache

PARTITIONS = 64


def java_hash(text: str) -> int:
    """Java's `String.hashCode()`: 31-polynomial over UTF-16 units, signed 32 bits."""
    total = 0
    data = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(data), 2):
        total = (total * 31 + (data[i] << 8) + data[i + 1]) & 0xFFFF_FFFF
    return total - (1 << 32) if total >> 31 else total


@lru_cache(maxsize=65_536)
def partition_of(token: str, partitions: int = PARTITIONS) -> int:
    """`abs(hash % n)` where `%` keeps the sign of the dividend, as Java's does: equal to `abs(hash) % n`."""
    return abs(java_hash(token)) % partitions
