"""`manage.py detect`: the process that reads the ledger, detects and contains. More than one may run; one works."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from core.told_to_stop import told_to_stop
from monitoring import detector


class Command(BaseCommand):
    """Run until SIGINT or SIGTERM."""

    help = "Read the ledger, detect, and suspend agents whose risk reaches 80."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Take turns; a signal ends it after the turn that it is in."""
        detector.run(told_to_stop())
