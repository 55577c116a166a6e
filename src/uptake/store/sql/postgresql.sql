-- The statements of an upload on PostgreSQL.
--
-- Each begins after a line `-- name --`. Each parameter is an array, with an element for each row
-- that is written, and bears its type. `{writer_slot}` is the writer slot of the process, `{mark}`
-- the commit number of the transaction, and `{revision}` that of the row's user: subqueries. On a
-- distributed database they are parameters, and each row is written by a statement of its own
-- (`store/citus_writer.py`).

-- take_commit_number --
INSERT INTO marks (lane, number)
VALUES ({writer_slot}, 1)
ON CONFLICT (lane) DO UPDATE SET number = marks.number + 1
RETURNING number

-- share_erasure_locks --
-- An erasure takes the lock of its project for itself.
SELECT pg_advisory_xact_lock_shared(key)
FROM unnest(:key::int8[]) AS rows (key)

-- tombstone_changes --
-- A statement of its own: it sees what was committed while the locks were waited for.
SELECT project_id, number
FROM tombstone_changes
WHERE project_id = ANY (:project_id::text[])

-- touch_users --
INSERT INTO users (project_id, user_id, revision, first_seen, last_seen, mark, folded_until)
SELECT
    project_id, user_id, 1, first_seen, last_seen,
    {mark}, 0
FROM unnest(
    :project_id::text[], :user_id::text[], :first_seen::int8[], :last_seen::int8[]
) AS rows (project_id, user_id, first_seen, last_seen)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = least(users.first_seen, excluded.first_seen),
    last_seen = greatest(users.last_seen, excluded.last_seen)

-- add_attribute_names --
INSERT INTO attribute_names (project_id, digest, names)
SELECT project_id, digest, names
FROM unnest(
    :project_id::text[], :digest::bytea[], :names::bytea[]
) AS rows (project_id, digest, names)
ON CONFLICT DO NOTHING

-- change_attributes --
-- Skips users that have the same values already, and users with other attribute names.
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark,
    folded_until
)
SELECT
    project_id, user_id, 1, first_seen, last_seen,
    {mark}, names, attributes, {mark}, 0
FROM unnest(
    :project_id::text[], :user_id::text[], :first_seen::int8[], :last_seen::int8[],
    :names::bytea[], :attributes::bytea[]
) AS rows (project_id, user_id, first_seen, last_seen, names, attributes)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = least(users.first_seen, excluded.first_seen),
    last_seen = greatest(users.last_seen, excluded.last_seen),
    mark = excluded.mark,
    names = excluded.names,
    attributes = excluded.attributes,
    attributes_mark = excluded.attributes_mark
WHERE users.attributes IS NULL
    OR (users.names = excluded.names AND users.attributes <> excluded.attributes)

-- confirm_attributes --
-- Touches and returns the users that had the same attributes before the transaction.
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark,
    folded_until
)
SELECT
    project_id, user_id, 1, first_seen, last_seen,
    {mark}, names, attributes, {mark}, 0
FROM unnest(
    :project_id::text[], :user_id::text[], :first_seen::int8[], :last_seen::int8[],
    :names::bytea[], :attributes::bytea[]
) AS rows (project_id, user_id, first_seen, last_seen, names, attributes)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = least(users.first_seen, excluded.first_seen),
    last_seen = greatest(users.last_seen, excluded.last_seen),
    mark = excluded.mark
WHERE users.names = excluded.names
    AND users.attributes = excluded.attributes
    AND users.attributes_mark IS DISTINCT FROM excluded.attributes_mark
RETURNING project_id, user_id

-- replace_attributes --
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark,
    folded_until
)
SELECT
    project_id, user_id, 1, first_seen, last_seen,
    {mark}, names, attributes, {mark}, 0
FROM unnest(
    :project_id::text[], :user_id::text[], :first_seen::int8[], :last_seen::int8[],
    :names::bytea[], :attributes::bytea[]
) AS rows (project_id, user_id, first_seen, last_seen, names, attributes)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = least(users.first_seen, excluded.first_seen),
    last_seen = greatest(users.last_seen, excluded.last_seen),
    mark = excluded.mark,
    names = excluded.names,
    attributes = excluded.attributes,
    attributes_mark = excluded.attributes_mark

-- add_batches --
-- The sequence is the user's revision, then the batch's place in the group in 16 bits.
INSERT INTO sample_batches (
    project_id, user_id, metric, digest, sequence, first, last, count, received_at, mark, columns,
    repeats
)
SELECT
    project_id, user_id, metric, digest,
    {revision} * 65536 + place,
    first, last, count, received_at,
    {mark},
    columns, repeats
FROM unnest(
    :project_id::text[], :user_id::text[], :metric::text[], :digest::bytea[], :place::int8[],
    :first::int8[], :last::int8[], :count::int8[], :received_at::int8[], :columns::bytea[],
    :repeats::int8[]
) AS rows (
    project_id, user_id, metric, digest, place, first, last, count, received_at, columns,
    repeats
)
ON CONFLICT DO NOTHING

-- repeat_batches --
-- Updates and returns the batches that were stored before the transaction.
INSERT INTO sample_batches (
    project_id, user_id, metric, digest, sequence, first, last, count, received_at, mark, columns,
    repeats
)
SELECT
    project_id, user_id, metric, digest,
    {revision} * 65536 + place,
    first, last, count, received_at,
    {mark},
    columns, repeats
FROM unnest(
    :project_id::text[], :user_id::text[], :metric::text[], :digest::bytea[], :place::int8[],
    :first::int8[], :last::int8[], :count::int8[], :received_at::int8[], :columns::bytea[],
    :repeats::int8[]
) AS rows (
    project_id, user_id, metric, digest, place, first, last, count, received_at, columns,
    repeats
)
ON CONFLICT (project_id, user_id, metric, digest) DO UPDATE SET
    sequence = excluded.sequence,
    received_at = excluded.received_at,
    mark = excluded.mark,
    repeats = sample_batches.repeats + excluded.repeats + 1
WHERE sample_batches.mark <> excluded.mark
RETURNING sequence

-- find_folded --
-- Returns the blocks that may have one of the batches, which was folded.
SELECT DISTINCT blocks.project_id, blocks.user_id, blocks.metric, blocks.until, blocks.sequence
FROM unnest(
    :project_id::text[], :user_id::text[], :metric::text[], :digest::bytea[], :first::int8[],
    :last::int8[]
) AS sent (project_id, user_id, metric, digest, first, last)
JOIN sample_blocks AS blocks
    ON blocks.project_id = sent.project_id
    AND blocks.user_id = sent.user_id
    AND blocks.metric = sent.metric
-- A list of users, from which the nodes of a distributed table follow.
WHERE blocks.user_id = ANY (:user_id::text[])
    AND blocks.until >= sent.last
    AND blocks.last >= sent.last
    AND blocks.first <= sent.first
    AND position(sent.digest IN blocks.digests) > 0

-- claim_uploads --
-- Returns the ids that were free.
INSERT INTO uploads (project_id, upload_id, user_id, digest)
SELECT project_id, upload_id, user_id, digest
FROM unnest(
    :project_id::text[], :upload_id::text[], :user_id::text[], :digest::bytea[]
) AS rows (project_id, upload_id, user_id, digest)
ON CONFLICT DO NOTHING
RETURNING project_id, upload_id

-- add_uploads --
-- If the id is taken, the upload stays as it is and counts as written.
INSERT INTO uploads (project_id, upload_id, user_id, digest)
SELECT project_id, upload_id, user_id, digest
FROM unnest(
    :project_id::text[], :upload_id::text[], :user_id::text[], :digest::bytea[]
) AS rows (project_id, upload_id, user_id, digest)
ON CONFLICT (project_id, upload_id) DO UPDATE SET project_id = uploads.project_id

-- add_documents --
INSERT INTO documents (project_id, user_id, upload_id, type, version, received_at, mark, data)
SELECT
    project_id, user_id, upload_id, type, version, received_at,
    {mark},
    data
FROM unnest(
    :project_id::text[], :user_id::text[], :upload_id::text[], :type::text[],
    :version::int8[], :received_at::int8[], :data::bytea[]
) AS rows (project_id, user_id, upload_id, type, version, received_at, data)
ON CONFLICT (project_id, user_id, upload_id) DO UPDATE SET project_id = documents.project_id

-- add_rejections --
INSERT INTO rejections (
    project_id, user_id, rejection_id, request_id, format, key_id, position, received_at, mark,
    faults, raw, raw_blob, context, parts
)
SELECT
    project_id, user_id, rejection_id, request_id, format, key_id, position, received_at,
    {mark},
    faults, raw, raw_blob, context, parts
FROM unnest(
    :project_id::text[], :user_id::text[], :rejection_id::text[], :request_id::text[],
    :format::text[], :key_id::text[], :position::int8[], :received_at::int8[],
    :faults::text[], :raw::bytea[], :raw_blob::text[], :context::text[], :parts::text[]
) AS rows (
    project_id, user_id, rejection_id, request_id, format, key_id, position, received_at,
    faults, raw, raw_blob, context, parts
)

-- add_images --
INSERT INTO images (
    project_id, user_id, image_id, upload_digest, uploaded_bytes, name, sha256, bytes, blob,
    media_type, width, height, received_at
)
SELECT
    project_id, user_id, image_id, upload_digest, uploaded_bytes, name, sha256, bytes, blob,
    media_type, width, height, received_at
FROM unnest(
    :project_id::text[], :user_id::text[], :image_id::int8[], :upload_digest::bytea[],
    :uploaded_bytes::int8[], :name::text[], :sha256::text[], :bytes::int8[], :blob::text[],
    :media_type::text[], :width::int8[], :height::int8[], :received_at::int8[]
) AS rows (
    project_id, user_id, image_id, upload_digest, uploaded_bytes, name, sha256, bytes, blob,
    media_type, width, height, received_at
)

-- add_image_names --
INSERT INTO image_names (name, project_id, user_id, image_id)
SELECT name, project_id, user_id, image_id
FROM unnest(
    :name::text[], :project_id::text[], :user_id::text[], :image_id::int8[]
) AS rows (name, project_id, user_id, image_id)

-- add_outbox --
-- The sequence is made as that of a batch.
INSERT INTO outbox (
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
)
SELECT
    project_id, user_id, destination_id,
    {revision} * 65536 + place,
    kind, type, content, count, received_at
FROM unnest(
    :project_id::text[], :user_id::text[], :destination_id::text[], :place::int8[],
    :kind::text[], :type::text[], :content::bytea[], :count::int8[], :received_at::int8[]
) AS rows (
    project_id, user_id, destination_id, place, kind, type, content, count, received_at
)

-- add_events --
INSERT INTO outbox (
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
)
SELECT
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
FROM unnest(
    :project_id::text[], :user_id::text[], :destination_id::text[], :sequence::int8[],
    :kind::text[], :type::text[], :content::bytea[], :count::int8[], :received_at::int8[]
) AS rows (
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
)

-- add_receipts --
-- Run again for receipts with a corrected number of duplicates.
INSERT INTO receipts (
    project_id, request_id, received_at, place, format, key_id, user_id, items, first_refused,
    last_refused, duplicates, status, code, ms, rejected_items, fault, mark
)
SELECT
    project_id, request_id, received_at, place, format, key_id, user_id, items, first_refused,
    last_refused, duplicates, status, code, ms, rejected_items, fault,
    {mark}
FROM unnest(
    :project_id::text[], :request_id::text[], :received_at::int8[], :place::int8[],
    :format::text[], :key_id::text[], :user_id::text[], :items::bytea[],
    :first_refused::text[], :last_refused::text[], :duplicates::int8[], :status::int8[],
    :code::text[], :ms::int8[], :rejected_items::int8[], :fault::text[]
) AS rows (
    project_id, request_id, received_at, place, format, key_id, user_id, items, first_refused,
    last_refused, duplicates, status, code, ms, rejected_items, fault
)
ON CONFLICT (project_id, request_id, received_at, place) DO UPDATE SET
    duplicates = excluded.duplicates

-- add_changes --
-- The position is the number of the transaction.
INSERT INTO changes (project_id, position, change_id, size, users, erased)
SELECT project_id, pg_current_xact_id()::text::int8, change_id, size, users, erased
FROM unnest(
    :project_id::text[], :change_id::text[], :size::int8[], :users::bytea[], :erased::bytea[]
) AS rows (project_id, change_id, size, users, erased)

-- next_change --
-- No transaction that can write below this position is still open.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8

-- read_in_order --
-- For this transaction. Without statistics of the table, the planner would read and sort all users
-- for each page.
SELECT
    set_config('enable_sort', 'off', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true)
