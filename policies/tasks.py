"""Jobs about policies. What there is to do is found in the database: a lost job loses nothing."""

from __future__ import annotations

from celery import shared_task

from policies import intake, rollback_actions, trying


@shared_task(name="policies.tasks.make_trials", time_limit=3600)  # type: ignore[untyped-decorator]  # celery publishes no types
def make_trials() -> int:
    """Make the trials that nobody is making."""
    return trying.make_unfinished()


@shared_task(name="policies.tasks.take_in", time_limit=600)  # type: ignore[untyped-decorator]  # celery publishes no types
def take_in() -> int:
    """Read the texts that nobody is reading."""
    return intake.make_unfinished()


@shared_task(name="policies.tasks.chase_rollbacks")  # type: ignore[untyped-decorator]  # celery publishes no types
def chase_rollbacks() -> int:
    """Ask again for the review of roll-backs that nobody has looked at in time."""
    return rollback_actions.chase()
