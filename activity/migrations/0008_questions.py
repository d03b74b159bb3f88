"""What an action was decided by is kept, so that it can be asked again of any version of the policies."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("activity", "0007_frames_are_found_by_action")]

    operations: ClassVar = [
        migrations.CreateModel(
            "Question",
            [("id", models.UUIDField(primary_key=True, serialize=False)), ("text", models.TextField())],
        ),
        migrations.AddField("action", "question_id", models.UUIDField(blank=True, null=True)),
    ]
