"""People's names beside the log: their keys, which can be destroyed, and what these open."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

GRANTS = """
DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['narrowgate_app', 'narrowgate_gateway', 'narrowgate_sequencer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN CONTINUE; END IF;
        EXECUTE format('REVOKE ALL ON ledger_person, ledger_name FROM %I', login);
        IF login = 'narrowgate_app' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE (key) ON ledger_person TO %I', login);
            EXECUTE format('GRANT SELECT, INSERT ON ledger_name TO %I', login);
        ELSIF login = 'narrowgate_gateway' THEN
            EXECUTE format('GRANT SELECT, INSERT ON ledger_person, ledger_name TO %I', login);
        END IF;
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0003_where_keys_are"),
    ]

    operations = [
        migrations.CreateModel(
            name="Name",
            fields=[
                ("commitment", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("person", models.CharField(max_length=200)),
                ("box", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("person", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("key", models.BinaryField(null=True)),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="name",
            trigger=pgtrigger.compiler.Trigger(
                name="rows_are_final",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="8f62399c89e2de20e9933c5cd58b46024543a294",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_rows_are_final_9c55e",
                    table="ledger_name",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="name",
            trigger=pgtrigger.compiler.Trigger(
                name="table_is_final",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'the ledger''s tables are not truncated';",
                    hash="aecc3d64ae449ca9884df06bad6892927ccc6401",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_table_is_final_9c34a",
                    table="ledger_name",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="person",
            trigger=pgtrigger.compiler.Trigger(
                name="keys_are_only_destroyed",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (NEW."key" IS NOT NULL OR NEW."person" IS DISTINCT FROM (OLD."person"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="e3cc760c9c48e47c71e7b52a346d2a975b544a62",
                    operation="UPDATE",
                    pgid="pgtrigger_keys_are_only_destroyed_2070c",
                    table="ledger_person",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="person",
            trigger=pgtrigger.compiler.Trigger(
                name="people_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="1e4e8f0b1129b6fd4a25032b81f6b7a798d17bae",
                    operation="DELETE",
                    pgid="pgtrigger_people_stay_63b13",
                    table="ledger_person",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="person",
            trigger=pgtrigger.compiler.Trigger(
                name="table_is_final",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'the ledger''s tables are not truncated';",
                    hash="a2bb5e800b01c4b1e1a69ff2c1d5e4142ec5240b",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_table_is_final_ed25d",
                    table="ledger_person",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
