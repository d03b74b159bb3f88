"""`manage.py rotate_vault_key`: the logins in the vault are under a new key from now on."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents import vault_keys
from core.errors import NarrowgateError
from core.words import plural


class Command(BaseCommand):
    """Seal every data key with a new key; processes that share the folder use it at once, without a restart."""

    help = "Put the vault's logins under a new key, made where VAULT_KEY says, else in the state folder."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where the new key is made."""
        parser.add_argument("--to-file", action="store_true", help="out of the HSM that VAULT_KEY names, into the file")

    def handle(self, *_arguments: object, **options: object) -> None:
        """Rotate. Raises CommandError with what is wrong; everything is as before then."""
        try:
            number = vault_keys.rotate(to_file=bool(options["to_file"]))
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{plural(number, 'login')} in the vault {'is' if number == 1 else 'are'} under a new key.")
