"""`manage.py change_ledger_key`: the log goes on under a new key, and an entry that both keys signed says so."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from core.errors import NarrowgateError
from ledger import keys


class Command(BaseCommand):
    """Make a key, hand over to it, and put it in the old one's place. Run again after an interruption, it goes on."""

    help = "Sign the log with a new key from now on. The change is an entry of the log, signed by both keys."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Change it. Raises CommandError with what is wrong; the old key stays until the log has handed over."""
        current = keys.key_file()
        fresh = current.with_suffix(".next")
        try:
            old, new = keys.signer(), keys.signer_in(fresh)
            keys.change(old, new)
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        fresh.replace(current)
        self.stdout.write(f"The log goes on under this key; give it to whoever verifies:\n{new.key}")
