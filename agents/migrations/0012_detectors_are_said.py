"""The customer's own detectors, and what each resource says of detectors."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0011_tool_servers_say_what_they_offer"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnDetector",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=40, unique=True)),
                ("title", models.CharField(max_length=100)),
                ("pattern", models.CharField(max_length=300)),
                ("sample", models.CharField(max_length=1000)),
                (
                    "strategy",
                    models.CharField(
                        choices=[
                            ("redact", "Redact"),
                            ("partial", "Leave the last four"),
                            ("hash", "Replace by a keyed hash"),
                        ],
                        default="redact",
                        max_length=8,
                    ),
                ),
                ("everywhere", models.BooleanField(default=True)),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ResourceDetector",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("detector", models.SlugField(max_length=40)),
                (
                    "strategy",
                    models.CharField(
                        choices=[
                            ("redact", "Redact"),
                            ("partial", "Leave the last four"),
                            ("hash", "Replace by a keyed hash"),
                            ("off", "Off"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="detectors", to="agents.resource"
                    ),
                ),
            ],
            options={
                "ordering": ["detector"],
                "constraints": [
                    models.UniqueConstraint(fields=("resource", "detector"), name="detector_once_per_resource")
                ],
            },
        ),
    ]
