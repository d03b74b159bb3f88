"""Jobs of monitoring. A job that is lost loses nothing: what there is to do is found in the database."""

from __future__ import annotations

from celery import shared_task

from monitoring.detector import turn
from monitoring.recount import check


@shared_task(name="monitoring.tasks.detect")  # type: ignore[untyped-decorator]  # celery publishes no types
def detect() -> None:
    """Read what no detector has read yet: behind `manage.py detect`, where that does not run. Beside it, nothing."""
    while turn():
        pass


@shared_task(name="monitoring.tasks.recount")  # type: ignore[untyped-decorator]  # as above
def recount() -> None:
    """Compare the last settled hours of the counts with the actions; the posture page says so where they differ."""
    check()
