import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("oversight", "Human oversight"),
                            ("access", "Agent access"),
                            ("incidents", "Incidents"),
                            ("integrity", "Log integrity"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "formats",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("pdf", "PDF"),
                                ("xlsx", "Spreadsheet (XLSX)"),
                                ("csv", "CSV"),
                                ("jsonl", "JSON lines"),
                                ("zip", "Package of evidence (ZIP)"),
                            ],
                            max_length=5,
                        ),
                        size=None,
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "scope_kind",
                    models.CharField(
                        choices=[
                            ("all", "Everything"),
                            ("segment", "A segment"),
                            ("agent", "An agent"),
                            ("resource", "A resource"),
                        ],
                        default="all",
                        max_length=8,
                    ),
                ),
                ("scope_id", models.UUIDField(blank=True, null=True)),
                ("scope_name", models.CharField(blank=True, max_length=100)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("making", "Being made"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("removed", "Files removed"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("progress", models.FloatField(default=0.0)),
                ("doing", models.CharField(blank=True, max_length=120)),
                ("begun", models.PositiveSmallIntegerField(default=0)),
                ("why", models.CharField(blank=True, max_length=500)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                ("entries", models.BigIntegerField(blank=True, null=True)),
                ("root", models.CharField(blank=True, max_length=64)),
                ("entry_uid", models.UUIDField(blank=True, null=True)),
                ("summary", models.JSONField(blank=True, null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="ReportFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("pdf", "PDF"),
                            ("xlsx", "Spreadsheet (XLSX)"),
                            ("csv", "CSV"),
                            ("jsonl", "JSON lines"),
                            ("zip", "Package of evidence (ZIP)"),
                        ],
                        max_length=5,
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="files", to="audit.report"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["-asked_at", "-id"], name="report_recent"),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(
                condition=models.Q(("status__in", ["queued", "making"])), fields=["asked_at"], name="report_unfinished"
            ),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(condition=models.Q(("status", "ready")), fields=["finished_at"], name="report_ready"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__gt", models.F("since"))), name="report_has_a_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("progress__gte", 0), ("progress__lte", 1)), name="report_progress_to_1"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportfile",
            constraint=models.UniqueConstraint(fields=("report", "format"), name="report_file_once"),
        ),
    ]
