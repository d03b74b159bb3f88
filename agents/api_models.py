"""What an API behind the gate can be asked for, by its own description."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class ApiDescription(models.Model):
    """The operations of an HTTP API, read from its OpenAPI document. What is not listed does not pass the gate."""

    resource = models.OneToOneField("agents.Resource", on_delete=models.CASCADE, related_name="description")
    title = models.CharField(max_length=200)
    version = models.CharField(max_length=60, blank=True)
    digest = models.CharField(max_length=71)  # sha256:…, of the document
    operations = models.JSONField()  # as `agents.openapi.Operation`, a list of objects
    described_at = models.DateTimeField(default=timezone.now)
    described_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering: ClassVar = ["resource"]

    def __str__(self) -> str:
        return f"{self.title} {self.version}".strip()
