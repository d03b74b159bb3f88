"""Jobs of the record. A job that is lost loses nothing: what there is to do is found in the database."""

from __future__ import annotations

from celery import shared_task

from activity import asking


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def give_up_unreported() -> int:
    """Call uncertain what agents carried out themselves and never reported on; says how many."""
    return asking.give_up_unreported()
