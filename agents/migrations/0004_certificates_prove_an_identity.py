"""A credential can be a certificate, which is for no one resource."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_second_person")]

    operations = [
        migrations.AlterField(
            model_name="credential",
            name="kind",
            field=models.CharField(
                choices=[("bearer", "Bearer"), ("svid", "X.509-SVID")], default="bearer", max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="credential",
            name="resource",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credentials",
                to="agents.resource",
            ),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "svid"), ("resource__isnull", False), _connector="OR"),
                name="credential_bearer_for_one",
            ),
        ),
    ]
