"""Jobs of the inventory. A job that is lost loses nothing: what there is to do is found in the database."""

from __future__ import annotations

from celery import shared_task

from agents import replay, rotating, upkeep
from core.db import db_now


@shared_task(name="agents.tasks.look_after")  # type: ignore[untyped-decorator]  # Celery publishes no types
def look_after() -> None:
    """Tell of, and suspend, the agents that nobody uses or owns."""
    while upkeep.turn(db_now()):
        pass


@shared_task(name="agents.tasks.rotate_logins")  # type: ignore[untyped-decorator]  # as above
def rotate_logins() -> None:
    """Change the passwords of logins that are due."""
    rotating.turn(db_now())


@shared_task(name="agents.tasks.forget_used")  # type: ignore[untyped-decorator]  # as above
def forget_used() -> None:
    """Forget proofs that are too old to be used again."""
    replay.forget_used(db_now())
