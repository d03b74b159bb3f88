"""A person may cut a live session; its gateway looks for those that were, among next to none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activity", "0004_stopped_actions")]

    operations = [
        migrations.AddField(model_name="session", name="cut_at", field=models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            model_name="session",
            name="cut_by",
            field=models.CharField(blank=True, default="", max_length=150),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="session",
            name="cut_reason",
            field=models.CharField(blank=True, default="", max_length=300),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                fields=["node_id"],
                condition=models.Q(cut_at__isnull=False, ended_at__isnull=True),
                name="session_to_cut_by_node",
            ),
        ),
    ]
