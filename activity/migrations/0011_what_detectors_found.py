"""How many values each detector has found in what came back for an action. Rows of before say nothing."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("activity", "0010_recordings_are_erased")]

    operations: ClassVar = [migrations.AddField("action", "detected", models.JSONField(blank=True, null=True))]
