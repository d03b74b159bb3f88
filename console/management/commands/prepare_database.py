"""`manage.py prepare_database`: what a deployment runs once for each release, as the database's owner."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from console import database
from core.env import secret


class Command(BaseCommand):
    """Migrate as the owner, then grant each of the other logins its part. Running it again changes nothing."""

    help = "Migrate with DATABASE_OWNER_URL and grant the other logins their part."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Raises Invalid where DATABASE_OWNER_URL is not set."""
        database.migrate(secret("DATABASE_OWNER_URL"))
