"""`manage.py appoint`: the first administrator, or one where nobody is left to confirm another. An entry says so."""

from __future__ import annotations

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts import actions
from accounts.actors import SYSTEM
from accounts.invitation_actions import issue
from accounts.models import Role, User
from core.errors import NarrowgateError


class Command(BaseCommand):
    """Make somebody an administrator; a new account's link is printed."""

    help = "Make somebody an administrator, from the machine itself: the first one, or where nobody is left to confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who."""
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="for a new account: what others call them")
        parser.add_argument("--email", default="", help="for a new account: where mail reaches them")

    def handle(self, *_arguments: object, username: str, name: str, email: str, **_options: object) -> None:
        """Appoint, or make and appoint. Raises CommandError with what is wrong."""
        known = User.objects.filter(username=username).first()
        try:
            if known is None:
                new = actions.invite(username, email=email, name=name, roles=[Role.ADMINISTRATOR], actor=SYSTEM)
                _, secret = issue(new, actor=SYSTEM)
                path = reverse("invitation", args=[secret])
                self.stdout.write(f"{username} sets a password here, once:\n{settings.CONSOLE_URL.rstrip('/')}{path}")
                return
            actions.set_roles(known, {*known.roles, Role.ADMINISTRATOR.value}, actor=SYSTEM)
        except NarrowgateError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{username} is an administrator.")
