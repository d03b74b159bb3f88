"""`manage.py sequence`: the process that turns what was recorded into the signed log. More than one may run; one works."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.errors import NarrowgateError
from core.told_to_stop import told_to_stop
from ledger import keys
from ledger.sequencer import Sequencer


class Command(BaseCommand):
    """Run until SIGINT or SIGTERM."""

    help = "Put what was recorded into the log and sign it. Run it on two machines: one works, the other stands by."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Sequence; a signal ends it after the batch that it is in. Raises CommandError when the key cannot be used."""
        stop = told_to_stop()
        try:
            signer = keys.signer()
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        Sequencer(settings.DATABASE_SEQUENCER_URL, signer, keys.signer).run(stop)
