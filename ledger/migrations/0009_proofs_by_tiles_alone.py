"""What an inclusion proof takes from the database: the checkpoint, the edge, and of the lowest tile what holds the entry. The upper tiles are kept."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar

from django.db import migrations

# Of a full lowest tile the strip that holds the entry's hash and the middles; of one that is not full, the hashes of its entries. An entry
# itself, which stands anywhere on disk, is not read.
LOWEST = """
CREATE FUNCTION ledger_lowest(entry_index bigint, of_size bigint)
RETURNS TABLE (size bigint, root bytea, note text, signed_at timestamptz, frontier bytea, strip bytea, middles bytea, leaves bytea)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF of_size IS NULL THEN
        SELECT max(signed.size) INTO of_size FROM ledger_checkpoint AS signed;
    END IF;
    RETURN QUERY SELECT signed.size, signed.root, signed.note, signed.signed_at, head.frontier,
        substring(tile.hashes FROM (entry_index % 256 / 16)::int * 512 + 1 FOR 512), tile.middles,
        CASE WHEN (entry_index >> 8) >= (signed.size >> 8) THEN (
            SELECT string_agg(entry.leaf_hash, ''::bytea ORDER BY entry.index) FROM ledger_entry AS entry
            WHERE entry.index >= (entry_index >> 8) << 8 AND entry.index < signed.size
        ) END
        FROM ledger_checkpoint AS signed
        LEFT JOIN ledger_head AS head ON head.size = signed.size
        LEFT JOIN ledger_tile AS tile ON tile.level = 0 AND tile.index = entry_index >> 8 AND tile.index < signed.size >> 8
        WHERE signed.size = of_size AND entry_index >= 0 AND entry_index < signed.size;
END
$$
"""

BEFORE = import_module("ledger.migrations.0008_proofs_in_one_query").PATH
FOR_IT = import_module("ledger.migrations.0007_strips_of_tiles").INCLUDED


class Migration(migrations.Migration):
    dependencies: ClassVar = [("ledger", "0008_proofs_in_one_query")]

    operations: ClassVar = [
        migrations.RunSQL(LOWEST, "DROP FUNCTION ledger_lowest"),
        migrations.RunSQL("DROP FUNCTION ledger_path", BEFORE),
        migrations.RunSQL("DROP FUNCTION ledger_included", FOR_IT),
    ]
