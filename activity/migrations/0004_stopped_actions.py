"""Held and denied actions, newest first: the few among many that people look for. An allowed action is not in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activity", "0003_outcomes_in_place")]

    operations = [
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                fields=["decision", "-asked_at", "-id"], condition=~models.Q(decision="allow"), name="action_stopped"
            ),
        ),
    ]
