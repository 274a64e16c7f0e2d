"""Passwords can not be read: one account's, which the operator gave, is tried on both sides (clone-and-api.md 5.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bmswitch.model.differences import Difference, Place, difference

RIGHT = "PASSWORD"
PASSWORDS = "passwords"

Validate = Callable[[], str]
"""What one side says of the account's password: `PASSWORD` when it is right."""


@dataclass
class Passwords:
    """The proof of one account's password; `left` says what is not proved."""

    login: str = ""
    source: Validate | None = None
    target: Validate | None = None
    differences: list[Difference] = field(default_factory=list)
    left: str = (
        "passwords (not readable, clone-and-api.md 5.2; soak.canary names an account whose password is tried)"
    )

    def check(self) -> None:
        """Asks both sides."""
        if self.source is None or self.target is None:
            return
        mine, theirs = self.source(), self.target()
        if mine != RIGHT:
            self.left = f"passwords (the source itself refuses that of {self.login})"
            return
        self.left = f"passwords of all but {self.login} (not readable; clone-and-api.md 5.2)"
        if theirs != mine:
            place = Place(self.login.partition("@")[2], self.login, "", PASSWORDS)
            self.differences.append(
                difference(place, self.login, "both", "password", source="accepted", target="refused")
            )
