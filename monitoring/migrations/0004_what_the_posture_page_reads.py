"""What the posture page reads: how the ledger stands, who uses bearer tokens, what the mean times are held against."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0003_counts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mark",
            fields=[
                (
                    "figure",
                    models.CharField(
                        choices=[
                            ("detect", "Mean time to detect"),
                            ("contain", "Mean time to contain"),
                            ("resolve", "Mean time to resolve"),
                        ],
                        max_length=7,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("baseline", models.DurationField(blank=True, null=True)),
                ("target", models.DurationField()),
            ],
        ),
        migrations.AddField(
            model_name="agentscore",
            name="bearer",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("size", models.BigIntegerField(default=0)),
                ("pending", models.BigIntegerField(default=0)),
                ("oldest_at", models.DateTimeField(blank=True, null=True)),
                ("signed_size", models.BigIntegerField(default=0)),
                ("signed_at", models.DateTimeField(blank=True, null=True)),
                ("proof", models.CharField(blank=True, max_length=8)),
                ("why", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="ledgercheck_one_row")],
            },
        ),
        migrations.RunSQL(
            "INSERT INTO monitoring_ledgercheck (id, size, pending, signed_size, proof, why) VALUES (1, 0, 0, 0, '', '')",
            "DELETE FROM monitoring_ledgercheck",
        ),
        migrations.RunSQL(
            "INSERT INTO monitoring_mark (figure, baseline, target) VALUES ('detect', '48 hours', '60 seconds'), "
            "('contain', '72 hours', '60 seconds'), ('resolve', NULL, '24 hours')",
            "DELETE FROM monitoring_mark",
        ),
    ]
