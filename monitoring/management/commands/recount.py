"""`manage.py recount`: compares the posture page's counts with the actions themselves."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import words
from monitoring.recount import FROM_THE_FIRST, check, mend


class Command(BaseCommand):
    """Say where they differ; exit status 1 where they do."""

    help = "Count all actions anew, compare with the kept counts, and say where they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--repair` writes what was found."""
        parser.add_argument(
            "--repair", action="store_true", help="write the recount where it differs; an entry says so"
        )

    def handle(self, *_arguments: object, repair: bool = False, **_options: object) -> None:
        """Raises CommandError where something differs and is not repaired."""
        found = check(since=FROM_THE_FIRST)
        until = f"{found.until:%Y-%m-%d %H:%M} UTC"
        if not found.number:
            self.stdout.write(f"The counts up to {until} equal a recount.")
            return
        told = f"{words.plural(found.number, 'count')} up to {until} {'differs' if found.number == 1 else 'differ'}"
        if not repair:
            raise CommandError(f"{told} from a recount. --repair writes what the actions say.")
        mend(found)
        self.stdout.write(f"{told}: written anew.")
