-- The statements of an upload that PostgreSQL with Citus has in another form, for one row.
--
-- The others are made from those of `postgresql.sql` (`store/citus_writer.py`).

-- find_folded --
-- Returns the blocks that may have a batch, which was folded.
SELECT project_id, user_id, metric, until, sequence
FROM sample_blocks
WHERE project_id = :project_id::text
    AND user_id = :user_id::text
    AND metric = :metric::text
    AND until >= :last::int8
    AND last >= :last::int8
    AND first <= :first::int8
    AND position(:digest::bytea IN digests) > 0
