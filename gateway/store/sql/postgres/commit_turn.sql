-- Each part takes its rows from the part before: no row, no claim, nothing.
WITH locked AS (
    SELECT id FROM conversations WHERE id = $1 AND version = $2 FOR UPDATE
),
claimed AS (
    INSERT INTO journal (key, conversation_id, position, event, trace)
    SELECT $3, id, $4, $5, $6 FROM locked
    ON CONFLICT (key) DO NOTHING
    RETURNING conversation_id
),
saved AS (
    UPDATE conversations
    SET version = version + 1, owner = $7, heard_through = $8, changed_at = $9, record = $10
    WHERE id = $1 AND EXISTS (SELECT FROM claimed)
),
taken AS (
    UPDATE journal
    SET trace = now_taken.trace
    FROM unnest($11::integer[], $12::text[]) AS now_taken (position, trace)
    WHERE
        journal.conversation_id = $1
        AND journal.position = now_taken.position
        AND EXISTS (SELECT FROM claimed)
),
ended AS (
    UPDATE effects
    SET status = $14, reason = $15
    WHERE id = $13 AND status = 'pending' AND EXISTS (SELECT FROM claimed)
),
dropped AS (
    UPDATE effects
    SET status = 'dropped', reason = 'epoch'
    WHERE
        conversation_id = $1
        AND status = 'pending'
        AND epoch < $16
        AND id IS DISTINCT FROM $13
        AND EXISTS (SELECT FROM claimed)
),
put AS (
    -- The part before does not see these rows, so those of an older epoch are dropped as they come.
    INSERT INTO effects (id, conversation_id, position, epoch, kind, effect, worker, status, reason)
    SELECT
        id, $1, position, epoch, kind, effect, $22,
        CASE WHEN epoch < $16 THEN 'dropped' ELSE 'pending' END,
        CASE WHEN epoch < $16 THEN 'epoch' ELSE '' END
    FROM unnest($17::text[], $18::bigint[], $19::integer[], $20::text[], $21::text[])
        WITH ORDINALITY AS new_effect (id, position, epoch, kind, effect, nth)
    WHERE EXISTS (SELECT FROM claimed)
    ORDER BY nth
)
SELECT EXISTS (SELECT FROM locked) AS locked, EXISTS (SELECT FROM claimed) AS claimed
