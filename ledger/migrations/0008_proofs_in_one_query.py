"""What an inclusion proof needs is read in one query: the checkpoint, and of each tile above the entry what its proof takes from it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# Of a full tile the strip that holds the entry's ancestor and the middles, of the first that is not full all of it. What else a proof
# takes is in the frontier, or asked for by itself.
PATH = """
CREATE FUNCTION ledger_path(entry_index bigint, of_size bigint)
RETURNS TABLE (size bigint, root bytea, note text, signed_at timestamptz, leaf_hash bytea, frontier bytea,
    levels smallint[], numbers bigint[], strips int[], parts bytea[])
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    it record;
    top int := 0;
    full_levels smallint[] := '{}';
    full_numbers bigint[] := '{}';
    full_strips int[] := '{}';
BEGIN
    SELECT * INTO it FROM ledger_included(entry_index, of_size);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    WHILE (entry_index >> 8 * (top + 1)) < (it.size >> 8 * (top + 1)) LOOP
        full_levels := full_levels || ARRAY[top, top]::smallint[];
        full_numbers := full_numbers || ARRAY[entry_index >> 8 * (top + 1), entry_index >> 8 * (top + 1)];
        full_strips := full_strips || ARRAY[((entry_index >> 8 * top) % 256 / 16)::int, 16];
        top := top + 1;
    END LOOP;
    RETURN QUERY SELECT it.size, it.root, it.note, it.signed_at, it.leaf_hash, it.frontier,
        array_agg(part.tile_level), array_agg(part.number), array_agg(part.strip), array_agg(part.found)
        FROM ledger_hashes(full_levels, full_numbers, full_strips,
            CASE WHEN top > 0 THEN ARRAY[top]::smallint[] ELSE '{}'::smallint[] END,
            CASE WHEN top > 0 THEN ARRAY[entry_index >> 8 * (top + 1)] ELSE '{}'::bigint[] END,
            CASE WHEN top = 0 THEN ARRAY[entry_index >> 8] ELSE '{}'::bigint[] END) AS part;
END
$$
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("ledger", "0007_strips_of_tiles")]

    operations: ClassVar = [migrations.RunSQL(PATH, "DROP FUNCTION ledger_path")]
