"""A recording is found by its action alone, so nothing is kept to find it by session."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("activity", "0006_what_must_never_be")]

    operations: ClassVar = [migrations.AlterField("frame", "session_id", models.UUIDField())]
