"""The same row four times: without a history, and with one by each of the three libraries."""

from __future__ import annotations

import pghistory
from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords


class Row(models.Model):
    """What a console's row looks like: who did what to what, and a few words."""

    event = models.CharField(max_length=60)
    actor = models.CharField(max_length=100)
    subject = models.CharField(max_length=100)
    number = models.BigIntegerField()
    words = models.CharField(max_length=200)
    objects = models.Manager["Row"]()

    class Meta:
        abstract = True


class Plain(Row):
    """No history: what stands beside our own entry."""

    class Meta:
        app_label = "peers"


class Audited(Row):
    """django-auditlog writes a LogEntry on a signal."""

    class Meta:
        app_label = "peers"


class Historic(Row):
    """django-simple-history writes a historical row on a signal."""

    history = HistoricalRecords()

    class Meta:
        app_label = "peers"


@pghistory.track()
class Tracked(Row):
    """django-pghistory writes an event row by trigger."""

    class Meta:
        app_label = "peers"


auditlog.register(Audited)
