"""Counts of decided actions, and the cursor of who keeps them: it begins with the first entry."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0002_cursor"),
    ]

    operations = [
        migrations.CreateModel(
            name="AgentHourCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("agent_id", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("allow", models.PositiveIntegerField(default=0)),
                ("mask", models.PositiveIntegerField(default=0)),
                ("hold", models.PositiveIntegerField(default=0)),
                ("deny", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="MinuteCount",
            fields=[
                ("at", models.DateTimeField(primary_key=True, serialize=False)),
                ("allow", models.PositiveIntegerField(default=0)),
                ("mask", models.PositiveIntegerField(default=0)),
                ("hold", models.PositiveIntegerField(default=0)),
                ("deny", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="cursor",
            name="cursor_one_row",
        ),
        migrations.AddField(
            model_name="cursor",
            name="checked_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="cursor",
            name="differing",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="cursor",
            constraint=models.CheckConstraint(condition=models.Q(("id__in", [1, 2])), name="cursor_of_a_reader"),
        ),
        migrations.AddIndex(
            model_name="agenthourcount",
            index=models.Index(fields=["hour"], name="agenthourcount_by_hour"),
        ),
        migrations.AddConstraint(
            model_name="agenthourcount",
            constraint=models.UniqueConstraint(fields=("agent_id", "hour"), name="agenthourcount_once"),
        ),
        migrations.RunSQL(
            "INSERT INTO monitoring_cursor (id, next, differing) VALUES (2, 0, 0)",
            "DELETE FROM monitoring_cursor WHERE id = 2",
        ),
    ]
