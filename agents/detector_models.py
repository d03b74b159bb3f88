"""The customer's own detectors, and what each resource says of detectors."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from agents.detectors.known import Strategy

STRATEGIES: list[tuple[str, str]] = [
    (Strategy.REDACT.value, "Redact"),
    (Strategy.PARTIAL.value, "Leave the last four"),
    (Strategy.HASH.value, "Replace by a keyed hash"),
]
OFF = "off"


class OwnDetector(models.Model):
    """A kind of value that the customer knows and describes by a pattern, which was tried on its sample when it was written."""

    name = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=100)
    pattern = models.CharField(max_length=300)
    sample = models.CharField(max_length=1_000)
    strategy = models.CharField(max_length=8, choices=STRATEGIES, default=Strategy.REDACT.value)
    everywhere = models.BooleanField(default=True)  # or only where a resource says so
    written_at = models.DateTimeField(default=timezone.now)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class ResourceDetector(models.Model):
    """What a resource says of one detector, against what is usual."""

    resource = models.ForeignKey("agents.Resource", on_delete=models.CASCADE, related_name="detectors")
    detector = models.SlugField(max_length=40)
    strategy = models.CharField(max_length=8, choices=[*STRATEGIES, (OFF, "Off")])

    class Meta:
        ordering: ClassVar = ["detector"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource", "detector"], name="detector_once_per_resource")
        ]

    def __str__(self) -> str:
        return f"{self.detector} at {self.resource}: {self.strategy}"
