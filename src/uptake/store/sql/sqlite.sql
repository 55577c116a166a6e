-- The statements of an upload on SQLite.
--
-- Each begins after a line `-- name --`. `:mark` is the commit number of the transaction; the other
-- parameters are the values of a row. Several rows are written by one statement: the parentheses
-- after VALUES are repeated for each.

-- take_commit_number --
INSERT INTO marks (lane, number)
VALUES (0, 1)
ON CONFLICT (lane) DO UPDATE SET number = marks.number + 1
RETURNING number

-- tombstone_changes --
SELECT project_id, number
FROM tombstone_changes
WHERE project_id = :project_id

-- touch_users --
INSERT INTO users (project_id, user_id, revision, first_seen, last_seen, mark)
VALUES (:project_id, :user_id, 1, :first_seen, :last_seen, :mark)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = min(users.first_seen, excluded.first_seen),
    last_seen = max(users.last_seen, excluded.last_seen)

-- add_attribute_names --
INSERT INTO attribute_names (project_id, digest, names)
VALUES (:project_id, :digest, :names)
ON CONFLICT DO NOTHING

-- change_attributes --
-- Skips users that have the same values already, and users with other attribute names.
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark
)
VALUES (
    :project_id, :user_id, 1, :first_seen, :last_seen, :mark, :names, :attributes, :mark
)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = min(users.first_seen, excluded.first_seen),
    last_seen = max(users.last_seen, excluded.last_seen),
    mark = excluded.mark,
    names = excluded.names,
    attributes = excluded.attributes,
    attributes_mark = excluded.attributes_mark
WHERE users.attributes IS NULL
    OR (users.names = excluded.names AND users.attributes <> excluded.attributes)

-- confirm_attributes --
-- Touches and returns the users that had the same attributes before the transaction.
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark
)
VALUES (
    :project_id, :user_id, 1, :first_seen, :last_seen, :mark, :names, :attributes, :mark
)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = min(users.first_seen, excluded.first_seen),
    last_seen = max(users.last_seen, excluded.last_seen),
    mark = excluded.mark
WHERE users.names = excluded.names
    AND users.attributes = excluded.attributes
    AND users.attributes_mark IS NOT excluded.attributes_mark
RETURNING project_id, user_id

-- replace_attributes --
INSERT INTO users (
    project_id, user_id, revision, first_seen, last_seen, mark, names, attributes, attributes_mark
)
VALUES (
    :project_id, :user_id, 1, :first_seen, :last_seen, :mark, :names, :attributes, :mark
)
ON CONFLICT (project_id, user_id) DO UPDATE SET
    revision = users.revision + 1,
    first_seen = min(users.first_seen, excluded.first_seen),
    last_seen = max(users.last_seen, excluded.last_seen),
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
VALUES (
    :project_id, :user_id, :metric, :digest,
    (
        SELECT revision FROM users WHERE project_id = :project_id AND user_id = :user_id
    ) * 65536 + :place,
    :first, :last, :count, :received_at, :mark, :columns, :repeats
)
ON CONFLICT DO NOTHING

-- repeat_batches --
-- Updates and returns the batches that were stored before the transaction.
INSERT INTO sample_batches (
    project_id, user_id, metric, digest, sequence, first, last, count, received_at, mark, columns,
    repeats
)
VALUES (
    :project_id, :user_id, :metric, :digest,
    (
        SELECT revision FROM users WHERE project_id = :project_id AND user_id = :user_id
    ) * 65536 + :place,
    :first, :last, :count, :received_at, :mark, :columns, :repeats
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
WITH sent (project_id, user_id, metric, digest, first, last) AS (
    VALUES (:project_id, :user_id, :metric, :digest, :first, :last)
)
SELECT DISTINCT project_id, user_id, metric, blocks.until, blocks.sequence
FROM sent
JOIN sample_blocks AS blocks USING (project_id, user_id, metric)
WHERE blocks.until >= sent.last
    AND blocks.last >= sent.last
    AND blocks.first <= sent.first
    AND instr(blocks.digests, sent.digest) > 0

-- claim_uploads --
-- Returns the ids that were free.
INSERT INTO uploads (project_id, upload_id, user_id, digest)
VALUES (:project_id, :upload_id, :user_id, :digest)
ON CONFLICT DO NOTHING
RETURNING project_id, upload_id

-- add_uploads --
-- If the id is taken, the upload stays as it is and counts as written.
INSERT INTO uploads (project_id, upload_id, user_id, digest)
VALUES (:project_id, :upload_id, :user_id, :digest)
ON CONFLICT (project_id, upload_id) DO UPDATE SET project_id = uploads.project_id

-- add_documents --
INSERT INTO documents (project_id, user_id, upload_id, type, version, received_at, mark, data)
VALUES (:project_id, :user_id, :upload_id, :type, :version, :received_at, :mark, :data)
ON CONFLICT (project_id, user_id, upload_id) DO UPDATE SET project_id = documents.project_id

-- add_rejections --
INSERT INTO rejections (
    project_id, user_id, rejection_id, request_id, format, key_id, position, received_at, mark,
    faults, raw, raw_blob, context, parts
)
VALUES (
    :project_id, :user_id, :rejection_id, :request_id, :format, :key_id, :position, :received_at,
    :mark, :faults, :raw, :raw_blob, :context, :parts
)

-- add_images --
INSERT INTO images (
    project_id, user_id, image_id, upload_digest, uploaded_bytes, name, sha256, bytes, blob,
    media_type, width, height, received_at
)
VALUES (
    :project_id, :user_id, :image_id, :upload_digest, :uploaded_bytes, :name, :sha256, :bytes,
    :blob, :media_type, :width, :height, :received_at
)

-- add_image_names --
INSERT INTO image_names (name, project_id, user_id, image_id)
VALUES (:name, :project_id, :user_id, :image_id)

-- add_outbox --
-- The sequence is made as that of a batch.
INSERT INTO outbox (
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
)
VALUES (
    :project_id, :user_id, :destination_id,
    (
        SELECT revision FROM users WHERE project_id = :project_id AND user_id = :user_id
    ) * 65536 + :place,
    :kind, :type, :content, :count, :received_at
)

-- add_events --
INSERT INTO outbox (
    project_id, user_id, destination_id, sequence, kind, type, content, count, received_at
)
VALUES (
    :project_id, :user_id, :destination_id, :sequence, :kind, :type, :content, :count, :received_at
)

-- add_receipts --
-- Run again for receipts with a corrected number of duplicates.
INSERT INTO receipts (
    project_id, request_id, received_at, place, format, key_id, user_id, items, first_refused,
    last_refused, duplicates, status, code, ms, rejected_items, fault, mark
)
VALUES (
    :project_id, :request_id, :received_at, :place, :format, :key_id, :user_id, :items,
    :first_refused, :last_refused, :duplicates, :status, :code, :ms, :rejected_items, :fault,
    :mark
)
ON CONFLICT (project_id, request_id, received_at, place) DO UPDATE SET
    duplicates = excluded.duplicates

-- add_changes --
-- Positions are not below the clock, so that none is given again in a database that was restored.
INSERT INTO changes (project_id, position, change_id, size, users, erased)
VALUES (
    :project_id,
    max(
        coalesce((SELECT max(position) FROM changes WHERE project_id = :project_id), 0) + 1,
        :now
    ),
    :change_id, :size, :users, :erased
)

-- next_change --
-- No later transaction will write below this position.
SELECT coalesce(max(position), 0) + 1
FROM changes
WHERE project_id = :project_id
