"""The two Murmur hashes of BlueMind's world: Kafka's murmur2 and MurmurHash3-128 (change-log.md 7.2 and 8.6)."""

import uuid

_M32 = 0xFFFF_FFFF
_M64 = 0xFFFF_FFFF_FFFF_FFFF
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def murmur2(data: bytes) -> int:
    """Kafka's own murmur2, signed nowhere: 32 bits as an unsigned number."""
    m = 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & _M32
        k = (k ^ (k >> 24)) * m & _M32
        h = (h * m & _M32) ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & _M32
    h = (h ^ (h >> 13)) * m & _M32
    return h ^ (h >> 15)


def murmur2_partition(token: str, partitions: int) -> int:
    """Kafka's default partition of a text key: the hash made positive, modulo the count."""
    return (murmur2(token.encode()) & 0x7FFF_FFFF) % partitions


def murmur3_128(data: bytes) -> bytes:
    """MurmurHash3 x64 128 with seed 0: 16 bytes, both halves little-endian."""
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for i in range(0, whole, 16):
        k1, k2 = int.from_bytes(data[i : i + 8], "little"), int.from_bytes(data[i + 8 : i + 16], "little")
        h1 = ((_rotl(h1 ^ _mix1(k1), 27) + h2) * 5 + 0x52DCE729) & _M64
        h2 = ((_rotl(h2 ^ _mix2(k2), 31) + h1) * 5 + 0x38495AB5) & _M64
    tail = data[whole:]
    h2 ^= _mix2(int.from_bytes(tail[8:], "little"))
    h1 ^= _mix1(int.from_bytes(tail[:8], "little"))
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _M64
    h2 = (h2 + h1) & _M64
    h1, h2 = _final(h1), _final(h2)
    h1 = (h1 + h2) & _M64
    h2 = (h2 + h1) & _M64
    return h1.to_bytes(8, "little") + h2.to_bytes(8, "little")


def default_folder_uid(mailbox: str, domain: str, folder: str) -> str:
    """Uid of a default folder. `mailbox` is `user.<uid>` for users, the plain uid for shared boxes (7.2)."""
    return str(uuid.UUID(bytes=murmur3_128(f"{mailbox}@{domain}#{folder}".encode())))


def _mix1(k: int) -> int:
    return _rotl(k * _C1 & _M64, 31) * _C2 & _M64


def _mix2(k: int) -> int:
    return _rotl(k * _C2 & _M64, 33) * _C1 & _M64


def _final(k: int) -> int:
    k = (k ^ (k >> 33)) * 0xFF51AFD7ED558CCD & _M64
    k = (k ^ (k >> 33)) * 0xC4CEB9FE1A85EC53 & _M64
    return k ^ (k >> 33)


def _rotl(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _M64
