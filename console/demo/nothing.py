"""A console without the demo: nobody and nothing, and a link with which the first administrator sets a password."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.urls import reverse
from rich.console import Console

from accounts import actions
from accounts.actors import SYSTEM
from accounts.invitation_actions import issue
from accounts.models import Role, User
from console.demo import welcome

FIRST = "admin"


def open_to_its_first(state: Path, http_port: int, gateway: Mapping[str, str], ca: Path) -> None:
    """Write `demo.json` with the addresses, and say who comes first. Runs in a thread of its own."""
    try:
        link = _invitation()
        addresses = {
            "http": f"localhost:{http_port}",
            **gateway,
            "ca": str(ca),
            "ssh_host_key": welcome.ssh_host_key(state),
        }
        description: dict[str, Any] = {
            "console": settings.CONSOLE_URL, "gateway": addresses, "people": [], "agents": [], "resources": [], "examples": [],
            "invitation": link,
        }  # fmt: skip
        welcome.write(state, description)
        _greet(state, description)
    finally:
        connections.close_all()


def _invitation() -> str:
    """The link of the first administrator, while they have not used it; empty afterwards."""
    first = User.objects.filter(username=FIRST).first()
    if first is None:
        if User.objects.exists():
            return ""
        first = actions.invite(
            FIRST,
            email="admin@localhost.localdomain",
            name="First administrator",
            roles=[Role.ADMINISTRATOR],
            actor=SYSTEM,
        )
    if first.has_usable_password():
        return ""
    _, secret = issue(first, actor=SYSTEM)
    return f"{settings.CONSOLE_URL.rstrip('/')}{reverse('invitation', args=[secret])}"


def _greet(state: Path, description: Mapping[str, Any]) -> None:
    out = Console(highlight=False, soft_wrap=True)
    out.print()
    out.print("[bold]Narrowgate is running, and empty.[/bold]  Ctrl-C stops it.")
    out.print()
    out.print(f"  Console   {description['console']}")
    out.print(
        f"  Gateway   https://{description['gateway']['http']}  (PostgreSQL at {description['gateway']['postgres']})"
    )
    out.print(f"  Details   {state / welcome.FILE}")
    if description["invitation"]:
        out.print()
        out.print(f"  The first administrator, {FIRST}, sets a password here, once:")
        out.print(f"    {description['invitation']}", style="cyan")
    out.print()
