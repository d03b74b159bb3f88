"""`manage.py sign_policies`: sign the versions that were kept before versions were signed."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from core.errors import NarrowgateError
from policies import actions


class Command(BaseCommand):
    """Once, after an upgrade. Whoever runs it answers for what the database holds: look at the versions first."""

    help = "Sign the versions of the policies that no key has signed yet. Each is an entry in the ledger."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Sign them. Raises CommandError with what is wrong; nothing is signed then."""
        try:
            signed = actions.sign_unsigned()
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        for version in signed:
            self.stdout.write(f"Version {version.number} is signed: {version.digest}")
        self.stdout.write("" if signed else "Every version is signed.")
