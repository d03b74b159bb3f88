"""Actions that left unrecorded or undecided: there are none, so both indexes are empty and cost an insert nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activity", "0005_cut_sessions")]

    operations = [
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                fields=["asked_at"],
                condition=models.Q(("entry_id__isnull", True), ("released_at__isnull", False)),
                name="action_unrecorded",
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                fields=["asked_at"],
                condition=models.Q(("decision", "allow"), ("policy_version", 0)),
                name="action_undecided",
            ),
        ),
    ]
