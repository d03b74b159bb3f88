"""The head's one row, how what is not in the log is found, and which login may do what.

The last are fences; the Merkle tree is the proof.
"""

from __future__ import annotations

from django.db import migrations

HEAD = """
INSERT INTO ledger_head (id, size, root, frontier, snapshot)
VALUES (1, 0, sha256(''::bytea), ''::bytea, '')
"""

# Which outbox rows are in no entry, if everything that the pg_snapshot `seen` can see is. Transactions commit in any order,
# so new is what `seen` could not see: transactions that ran then, or began later. A snapshot from the future comes
# from another server, by dump and restore: then everything is looked at. Stable: it sees what its caller's statement
# sees. The settings keep the cost from growing with the tables, whose statistics always lag behind.
UNSEQUENCED = """
CREATE FUNCTION ledger_unsequenced(seen text) RETURNS TABLE (id bigint, node text, recorded_at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off
SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    following bigint := 0;
    running bigint[] := '{}';
BEGIN
    IF seen <> '' AND pg_snapshot_xmax(seen::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) THEN
        following := pg_snapshot_xmax(seen::pg_snapshot)::text::bigint;
        running := ARRAY(SELECT xid::text::bigint FROM pg_snapshot_xip(seen::pg_snapshot) AS xid);
    END IF;
    RETURN QUERY SELECT o.id, o.node::text, o.recorded_at FROM ledger_outbox AS o
        WHERE (o.xid >= following OR o.xid = ANY(running))
        AND NOT EXISTS (SELECT FROM ledger_entry AS e WHERE e.outbox_id = o.id);
END
$$
"""

# A login that does not exist gets nothing; whoever makes it later runs this migration's grants first.
GRANTS = """
DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['narrowgate_app', 'narrowgate_gateway', 'narrowgate_sequencer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN CONTINUE; END IF;
        EXECUTE format(
            'REVOKE ALL ON ledger_node, ledger_outbox, ledger_entry, ledger_checkpoint, ledger_tile, ledger_key, ledger_head FROM %I',
            login);
        EXECUTE format(
            'GRANT SELECT ON ledger_node, ledger_outbox, ledger_entry, ledger_checkpoint, ledger_tile, ledger_key, ledger_head TO %I',
            login);
        IF login = 'narrowgate_sequencer' THEN
            EXECUTE format('GRANT INSERT ON ledger_entry, ledger_checkpoint, ledger_tile, ledger_key TO %I', login);
            EXECUTE format('GRANT UPDATE (size, root, frontier, snapshot) ON ledger_head TO %I', login);
        ELSE
            EXECUTE format('GRANT INSERT (node, node_seq, event, leaf) ON ledger_outbox TO %I', login);
            EXECUTE format('GRANT INSERT (name, seq), UPDATE (seq) ON ledger_node TO %I', login);
        END IF;
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(HEAD, "DELETE FROM ledger_head"),
        migrations.RunSQL(UNSEQUENCED, "DROP FUNCTION ledger_unsequenced"),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
    ]
