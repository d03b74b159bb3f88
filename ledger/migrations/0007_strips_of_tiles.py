"""What a proof needs of a tile without reading all of it: the hashes of its sixteen subtrees of sixteen, 512 bytes a tile.

And what a proof asks, as functions: PostgreSQL plans those once a connection, and planning takes longer than all the rest.
"""

from __future__ import annotations

from django.db import migrations, models

# Tiles that are there get theirs as their column is rewritten: rows of the ledger are not updated.
MIDDLES = """
CREATE FUNCTION pg_temp.middles(hashes bytea) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    WHILE length(hashes) > 512 LOOP
        SELECT string_agg(sha256('\\x01'::bytea || substring(hashes FROM pair * 64 + 1 FOR 64)), ''::bytea ORDER BY pair)
        INTO hashes FROM generate_series(0, length(hashes) / 64 - 1) AS pair;
    END LOOP;
    RETURN hashes;
END
$$;
ALTER TABLE ledger_tile ALTER COLUMN middles TYPE bytea USING pg_temp.middles(hashes);
DROP FUNCTION pg_temp.middles(bytea);
"""

# Strips of full tiles, the hashes of partial tiles of upper levels, and those of the partial one of the lowest.
HASHES = """
CREATE FUNCTION ledger_hashes(
    full_levels smallint[], full_numbers bigint[], full_strips int[], upper_levels smallint[], upper_numbers bigint[], lowest bigint[]
) RETURNS TABLE (tile_level smallint, number bigint, strip int, found bytea)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY SELECT tile.level, tile.index, part.strip, CASE part.strip
        WHEN -1 THEN tile.hashes WHEN 16 THEN tile.middles ELSE substring(tile.hashes FROM part.strip * 512 + 1 FOR 512)
    END FROM unnest(full_levels, full_numbers, full_strips) AS part (level, index, strip)
    JOIN ledger_tile AS tile USING (level, index);
    IF cardinality(upper_levels) > 0 THEN
        RETURN QUERY SELECT upper.level, upper.index, -1, (
            SELECT string_agg(below.root, ''::bytea ORDER BY below.index) FROM ledger_tile AS below
            WHERE below.level = upper.level - 1 AND below.index >= upper.index << 8 AND below.index < (upper.index + 1) << 8
        ) FROM unnest(upper_levels, upper_numbers) AS upper (level, index);
    END IF;
    IF cardinality(lowest) > 0 THEN
        RETURN QUERY SELECT 0::smallint, tile.index, -1, (
            SELECT string_agg(entry.leaf_hash, ''::bytea ORDER BY entry.index) FROM ledger_entry AS entry
            WHERE entry.index >= tile.index << 8 AND entry.index < (tile.index + 1) << 8
        ) FROM unnest(lowest) AS tile (index);
    END IF;
END
$$
"""

# An entry, a checkpoint over it (the newest unless a size is given) and the compact range of that, while it is the head's.
INCLUDED = """
CREATE FUNCTION ledger_included(entry_index bigint, of_size bigint)
RETURNS TABLE (size bigint, root bytea, note text, signed_at timestamptz, leaf_hash bytea, frontier bytea)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF of_size IS NULL THEN
        SELECT max(signed.size) INTO of_size FROM ledger_checkpoint AS signed;
    END IF;
    RETURN QUERY SELECT signed.size, signed.root, signed.note, signed.signed_at, entry.leaf_hash, head.frontier
        FROM ledger_checkpoint AS signed JOIN ledger_entry AS entry ON entry.index = entry_index AND entry.index < signed.size
        LEFT JOIN ledger_head AS head ON head.size = signed.size WHERE signed.size = of_size;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_entries_by_time")]

    operations = [
        migrations.AddField("tile", "middles", models.BinaryField(default=b""), preserve_default=False),
        migrations.RunSQL(MIDDLES, migrations.RunSQL.noop),
        migrations.RunSQL(HASHES, "DROP FUNCTION ledger_hashes"),
        migrations.RunSQL(INCLUDED, "DROP FUNCTION ledger_included"),
    ]
