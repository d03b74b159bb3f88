"""The demo world, made at the first start and found again at each later one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import connections

from accounts.models import User
from cli.state import world_of
from console.demo import history, inventory, neighbours, neighbours_history, secrets_kept, shop, welcome
from console.embedded import Cluster


def open_to_visitors(state: Path, cluster: Cluster, http_port: int, gateway: Mapping[str, str], ca: Path) -> None:
    """Make what is missing, write `demo.json`, and say that everything is ready.

    Runs in a thread of its own while the doors are open already: the demo's history goes through them.
    """
    try:
        kept = secrets_kept.load(state, first=not User.objects.exists())
        shop.ensure(cluster, kept.shop_logins)
        inventory.ensure(state, kept, cluster.socket_folder)
        addresses = {"http": f"localhost:{http_port}", **gateway}
        description = welcome.describe(state, kept, settings.CONSOLE_URL, addresses, ca)
        if not kept.history:
            kept.history = True  # noted before: a start that is interrupted does not tell the story twice
            kept.save(state)
            neighbours.accept_tools()
            history.make(world_of(description))
            neighbours_history.make(world_of(description))
        welcome.write(state, description)
        welcome.greet(state, description)
    finally:
        connections.close_all()
