"""`manage.py publish`: the process that takes checkpoints out. More than one may run; one works."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from core.errors import NarrowgateError
from core.told_to_stop import told_to_stop
from ledger.publishing.configured import destinations
from ledger.publishing.publisher import Publisher
from ledger.publishing.tile_files import TileFiles, tile_folder


class Command(BaseCommand):
    """Run until SIGINT or SIGTERM."""

    help = (
        "Write the tiles at /ledger/, and take checkpoints to witnesses, a folder, a store and a time-stamp authority."
    )

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Publish; a signal ends it after the turn that it is in. Raises CommandError for a setting that cannot be used."""
        stop = told_to_stop()
        try:
            publisher = Publisher(destinations(), TileFiles(tile_folder()))
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        publisher.run(stop)
