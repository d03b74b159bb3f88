"""`manage.py change_ledger_key`: the log goes on under a new key, and an entry that both keys signed says so."""

from __future__ import annotations

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.errors import NarrowgateError
from ledger import keys
from ledger.signer import Signer


class Command(BaseCommand):
    """Make a key, hand over to it, and put it in the old one's place. Run again after an interruption, it goes on."""

    help = "Sign the log with a new key from now on. The change is an entry of the log, signed by both keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument(
            "--to", default="", metavar="URI", help="a key in an HSM, by its PKCS#11 URI; else a new file"
        )

    def handle(self, *_arguments: object, to: str, **_options: object) -> None:
        """Change it. Raises CommandError with what is wrong; the old key stays until the log has handed over."""
        try:
            new = self._to_hsm(to) if to else self._to_file()
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The log goes on under this key; give it to whoever verifies:\n{new.key}")

    def _to_hsm(self, uri: str) -> Signer:
        new = keys.signer_at(uri)
        keys.change(keys.signer(), new)
        self.stdout.write(
            f"Set LEDGER_KEY to {uri} and restart the sequencers: until then entries wait for their checkpoint."
        )
        return new

    def _to_file(self) -> Signer:
        if settings.LEDGER_KEY:
            raise CommandError("The ledger's key is in an HSM: say where the next one is with --to URI.")
        current = keys.key_file()
        fresh = current.with_suffix(".next")
        new = keys.signer_in(fresh)
        keys.change(keys.signer(), new)
        fresh.replace(current)
        return new
