"""Jobs about policies. What there is to do is found in the database: a lost job loses nothing."""

from __future__ import annotations

from celery import shared_task

from policies import trying


@shared_task(name="policies.tasks.make_trials", time_limit=3600)  # type: ignore[untyped-decorator]  # celery publishes no types
def make_trials() -> int:
    """Make the trials that nobody is making."""
    return trying.make_unfinished()
