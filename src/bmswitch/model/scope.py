"""Which part of an installation one proof reads: `--only` and `--sample`. A part that is equal proves nothing of the rest."""

import hashlib
from collections.abc import Iterable

import msgspec

KINDS = ("domain", "user", "container", "dimension")


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Filters; an empty one lets everything pass, several of one kind add up, different kinds must all fit.

    `users` are entry uids or addresses. `sample` (0 to 1) takes that share of the entries, chosen by `seed`: the same
    seed chooses the same ones.
    """

    domains: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    dimensions: frozenset[str] = frozenset()
    sample: float = 1.0
    seed: str = ""

    @property
    def everything(self) -> bool:
        """True when nothing is left out."""
        return self == Scope(seed=self.seed)

    def domain(self, uid: str) -> bool:
        """The domain is read."""
        return not self.domains or uid in self.domains

    def owner(self, uid: str, email: str = "") -> bool:
        """What this entry owns is read."""
        if self.users and uid not in self.users and email not in self.users:
            return False
        return self.sample >= 1 or _share(self.seed, uid) < self.sample

    def container(self, uid: str) -> bool:
        """The container is read."""
        return not self.containers or uid in self.containers

    def dimension(self, name: str) -> bool:
        """The dimension is read, by the name that the report gives it."""
        return not self.dimensions or name in self.dimensions

    def __str__(self) -> str:
        """As an operator reads it; empty for everything."""
        parts = [
            f"{kind} {' or '.join(sorted(names))}"
            for kind, names in zip(
                KINDS, (self.domains, self.users, self.containers, self.dimensions), strict=True
            )
            if names
        ]
        if self.sample < 1:
            parts.append(f"a sample of {self.sample:.2%} of the entries (seed {self.seed})")
        return ", ".join(parts)


def parse_scope(only: Iterable[str], sample: float, seed: str) -> Scope:
    """The scope of `kind:name` texts. ValueError says what is wrong."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for text in only:
        kind, colon, name = text.partition(":")
        if kind not in found or not colon or not name:
            raise ValueError(f"`{text}` is not one of {', '.join(f'{kind}:NAME' for kind in KINDS)}")
        found[kind].add(name)
    return Scope(
        domains=frozenset(found["domain"]),
        users=frozenset(found["user"]),
        containers=frozenset(found["container"]),
        dimensions=frozenset(found["dimension"]),
        sample=sample,
        seed=seed,
    )


def _share(seed: str, uid: str) -> float:
    digest = hashlib.blake2b(f"{seed}\0{uid}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (1 << 64)
