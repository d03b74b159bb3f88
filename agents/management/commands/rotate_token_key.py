"""`manage.py rotate_token_key`: access tokens are signed by a new key from now on."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from agents import signing
from agents.keys import kid_of
from core.errors import NarrowgateError


class Command(BaseCommand):
    """Put a new key in front of the others; gateways that share the folder use it at once, without a restart."""

    help = "Sign access tokens with a new key. Tokens that the old one signed stay good until they expire."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Rotate. Raises CommandError with what is wrong; the old key signs on then."""
        try:
            fresh = signing.rotate()
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Tokens are signed by {kid_of(fresh)} from now on.")
