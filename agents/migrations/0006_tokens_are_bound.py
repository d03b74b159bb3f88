"""A token can be bound to a key or a certificate, and to the networks it may be used from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_who_lets_it_act_and_what_it_is")]

    operations = [
        migrations.AlterField(
            model_name="credential",
            name="kind",
            field=models.CharField(
                choices=[
                    ("bearer", "Bearer"),
                    ("dpop", "Token bound to a key"),
                    ("mtls", "Token bound to a certificate"),
                    ("svid", "X.509-SVID"),
                ],
                default="bearer",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="credential", name="bound_to", field=models.CharField(blank=True, max_length=43)
        ),
        migrations.AddField(model_name="credential", name="networks", field=models.JSONField(default=list)),
    ]
