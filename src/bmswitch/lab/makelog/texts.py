"""Words and names of a made log: enough different ones that it compresses like mail, and many of more than one byte a letter."""

import random

GIVEN = (
    "Ada", "Blaise", "Chloé", "Denis", "Émilie", "Félix", "Gaëlle", "Håkon", "Inès", "Jules", "Zoë", "Łukasz", "Дмитрий", "Ελένη",
    "美咲", "محمد", "Nguyễn", "Özlem", "Renée", "Siân",
)  # fmt: skip
FAMILY = (
    "Martin", "Bernard", "Dubois", "Lefèvre", "Noël", "Müller", "Größ", "Nuñez", "Çelik", "Иванов", "Παπαδόπουλος", "山田", "李", "Đặng",
    "O'Neill", "Sørensen", "Żak", "Petit", "Durand", "Leroy",
)  # fmt: skip
FOLDERS = ("Réunions", "Projet été", "Clients", "日本", "Bücher", "Archiv 2022", "🌍 voyages", "Factures")
_STEMS = (
    "budget", "revue", "contrat", "équipe", "planning", "offre", "voyage", "projet", "client", "facture", "réunion", "rapport", "audit",
    "livraison", "hôtel", "Straße", "présentation", "version", "serveur", "mail", "bonjour", "merci", "cordialement", "demain", "semaine",
)  # fmt: skip


class Texts:
    """Sentences drawn from a pool of 4,096; each pool belongs to one seed."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._pool = [self._sentence().encode() for _ in range(4096)]
        self._average = sum(map(len, self._pool)) / len(self._pool)

    def _sentence(self) -> str:
        words = [
            f"{self._draw.getrandbits(28):x}" if self._draw.random() < 0.15 else self._draw.choice(_STEMS)
            for _ in range(self._draw.randint(5, 14))
        ]
        return " ".join(words).capitalize() + "."

    def of(self, size: int) -> bytes:
        """Text of nearly `size` bytes, without quotes and backslashes."""
        if size <= 0:
            return b""
        text = b" ".join(self._draw.choices(self._pool, k=int(size / self._average) + 1))
        return text[:size].decode(errors="ignore").encode() if size < len(text) else text

    def subject(self) -> bytes:
        """A mail's subject."""
        return self._draw.choice(self._pool)[:60].decode(errors="ignore").encode()
