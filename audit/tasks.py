"""Jobs of the reading room. A job that is lost loses nothing: what there is to do is found in the database."""

from __future__ import annotations

from typing import Final

from celery import shared_task

from audit import actions
from audit.reports import making

LONGEST: Final = 4 * 3600
"""Seconds a report may take; a worker that is ended then leaves it to be taken up."""


@shared_task(name="audit.tasks.make_reports", time_limit=LONGEST)  # type: ignore[untyped-decorator]  # celery publishes no types
def make_reports() -> int:
    """Make the reports that nobody is making."""
    return making.make_unfinished()


@shared_task(name="audit.tasks.remove_old_reports")  # type: ignore[untyped-decorator]  # celery publishes no types
def remove_old_reports() -> int:
    """Remove the files whose time is over, and what interrupted makings left."""
    return actions.remove_old() + making.sweep()
