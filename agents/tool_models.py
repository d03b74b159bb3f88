"""What is known of a tool server: what it offers, in its words, and what of that a person has accepted."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from agents.tools import INSTRUCTIONS, PROMPT, TOOL, Argument, arguments_of


class ToolServer(models.Model):
    """What a resource of kind MCP has beside others. With a command the gate runs it; without one it is reached over HTTP."""

    resource = models.OneToOneField("agents.Resource", on_delete=models.CASCADE, related_name="tool_server")
    command = models.JSONField(null=True, blank=True)  # the program and its arguments, a list of texts
    asked_at = models.DateTimeField(null=True, blank=True)  # when somebody asked that its list be read
    read_at = models.DateTimeField(null=True, blank=True)
    about = models.CharField(max_length=200, blank=True)  # what it calls itself
    problem = models.CharField(max_length=300, blank=True)  # why its list could not be read

    def __str__(self) -> str:
        return str(self.resource)


class ToolDefinition(models.Model):
    """One tool or prompt of a server, or its instructions, as it was last seen. Agents get it while it is the accepted one."""

    class Kind(models.TextChoices):
        """What it is."""

        TOOL = TOOL, "Tool"
        PROMPT = PROMPT, "Prompt"
        INSTRUCTIONS = INSTRUCTIONS, "Instructions"

    resource = models.ForeignKey("agents.Resource", on_delete=models.CASCADE, related_name="definitions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=128, blank=True)  # the instructions have none
    seen = models.JSONField()
    digest = models.CharField(max_length=71)  # sha256:…, of what was seen
    problem = models.CharField(max_length=300, blank=True)  # why nobody can accept it
    accepted = models.JSONField(null=True, blank=True)
    accepted_digest = models.CharField(max_length=71, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)  # when it was first seen as it is
    gone_at = models.DateTimeField(null=True, blank=True)  # since when the server does not offer it

    class Meta:
        ordering: ClassVar = ["kind", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource", "kind", "name"], name="definition_once_per_name")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()

    @property
    def words(self) -> str:
        """What it says of itself."""
        return str(self.seen.get("description") or self.seen.get("text") or "")

    @property
    def arguments(self) -> list[Argument]:
        """What it takes, as it was accepted."""
        return arguments_of(self.accepted or {})

    @property
    def accepted_words(self) -> str:
        """What it says of itself, as it was accepted."""
        return str((self.accepted or {}).get("description", ""))

    @property
    def is_accepted(self) -> bool:
        """Whether it is what a person has accepted."""
        return self.digest == self.accepted_digest

    @property
    def standing(self) -> str:
        """Where it stands, in a word."""
        if self.gone_at:
            return "gone"
        if self.is_accepted:
            return "accepted"
        return "changed" if self.accepted_digest else "new"
