"""The one row of the revision counter."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO agents_revision (id, number) VALUES (1, 0) ON CONFLICT DO NOTHING",
            "DELETE FROM agents_revision",
        ),
    ]
