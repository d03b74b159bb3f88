"""What the demo must remember from one start to the next: passwords, API tokens and keys, in one private file."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from console.demo.roster import PEOPLE
from console.demo.shop import ShopLogins
from core.errors import NarrowgateError
from core.files import write_private

FILE = "people.json"


@dataclass
class Kept:
    """Passwords by username, API tokens with when they end, the logins of shop, carrier and till, and whether history was made."""

    passwords: dict[str, str]
    shop: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    tokens_end: str = ""
    history: bool = False
    carrier: str = ""
    till: str = ""

    @property
    def shop_logins(self) -> ShopLogins:
        """The passwords of the shop's own logins."""
        return ShopLogins(**self.shop)

    def save(self, state: Path) -> None:
        """Write it down, for the owner of the state folder alone."""
        write_private(state / FILE, json.dumps(asdict(self), indent=1).encode())


def load(state: Path, *, first: bool) -> Kept:
    """What was kept; at the `first` start new random passwords, already saved. Raises NarrowgateError."""
    path = state / FILE
    if path.exists():
        try:
            return Kept(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise NarrowgateError(f"The file {path} is damaged.", "Start with --fresh to begin anew.") from None
    if not first:
        raise NarrowgateError(f"The file {path} is missing, and with it every password.", "Start with --fresh.")
    passwords = {person.username: secrets.token_urlsafe(12) for person in PEOPLE}
    shop = {name: secrets.token_urlsafe(24) for name in ("owner", "gate", "reader")}
    kept = Kept(passwords, shop, carrier=secrets.token_urlsafe(24), till=secrets.token_urlsafe(24))
    kept.save(state)
    return kept
