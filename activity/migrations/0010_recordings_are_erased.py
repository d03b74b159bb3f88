"""What was recorded of an action can be erased, by two people; its row says by which erasure."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("activity", "0009_asked_outside_the_data_path"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            "Erasure",
            [
                ("id", models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("sessions", ArrayField(models.UUIDField(), blank=True, default=list)),
                ("actions", ArrayField(models.UUIDField(), blank=True, default=list)),
                ("because", models.CharField(max_length=300)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("erased_at", models.DateTimeField(blank=True, null=True)),
                ("count", models.PositiveIntegerField(default=0)),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
                "indexes": [models.Index(fields=["-asked_at", "-id"], name="erasure_recent")],
            },
        ),
        migrations.AddField("action", "erasure_id", models.UUIDField(blank=True, null=True)),
        migrations.AddField("session", "erasure_id", models.UUIDField(blank=True, null=True)),
        migrations.AddIndex(
            "action",
            models.Index(
                fields=["erasure_id", "-asked_at", "-id"],
                condition=models.Q(erasure_id__isnull=False),
                name="action_erased",
            ),
        ),
    ]
