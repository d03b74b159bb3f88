from django.db import migrations


class Migration(migrations.Migration):
    """The one row that says how far the ledger has been read."""

    dependencies = [("monitoring", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO monitoring_cursor (id, next) VALUES (1, 0)",
            "DELETE FROM monitoring_cursor",
        ),
    ]
