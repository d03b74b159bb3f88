"""Everything can be stopped at once, and two people lift that."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids

PERSON: dict[str, Any] = {
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "+",
    "to": settings.AUTH_USER_MODEL,
}


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("agents", "0007_people_delegate"),
    ]

    operations = [
        migrations.CreateModel(
            name="Halt",
            fields=[
                (
                    "id",
                    models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("reason", models.CharField(max_length=300)),
                ("halted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("asked_reason", models.CharField(blank=True, max_length=300)),
                ("asked_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("halted_by", models.ForeignKey(**PERSON)),
                ("asked_by", models.ForeignKey(blank=True, null=True, **PERSON)),
                ("lifted_by", models.ForeignKey(blank=True, null=True, **PERSON)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.Value(1), condition=models.Q(("lifted_at__isnull", True)), name="halt_one_at_a_time"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lifted_at__isnull", True),
                            models.Q(
                                models.Q(("lifted_by", models.F("asked_by")), _negated=True),
                                ("asked_by__isnull", False),
                                ("lifted_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="halt_second_person",
                    ),
                ],
            },
        ),
    ]
