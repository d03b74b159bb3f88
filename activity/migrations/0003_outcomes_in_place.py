"""Outcomes become updates in place (HOT): no index on what they change, and room for them on every page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activity", "0002_action_tagged_recent")]

    operations = [
        migrations.RemoveIndex(model_name="action", name="action_open_by_node"),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(("decision", "hold")), fields=["node_id"], name="action_held_by_node"
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE activity_action SET (fillfactor = 70)", "ALTER TABLE activity_action RESET (fillfactor)"
        ),
    ]
