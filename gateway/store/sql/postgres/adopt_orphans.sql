WITH orphans AS (
    SELECT seq
    FROM effects
    WHERE
        status = 'pending'
        -- A list, and no join: a row that another process adopts while we come for it is judged once more, by itself
        -- alone. https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
        AND worker = ANY (
            ARRAY(
                SELECT DISTINCT worker
                FROM effects AS pending
                WHERE
                    status = 'pending'
                    AND worker <> $1
                    AND NOT EXISTS (SELECT FROM workers WHERE name = pending.worker)
            )
        )
    -- Not a bare seq: its index would tempt to walk through all effects that ever were.
    ORDER BY seq + 0
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
adopted AS (
    UPDATE effects
    SET worker = $1
    FROM orphans
    WHERE effects.seq = orphans.seq
    RETURNING effects.*
)
SELECT adopted.*, conversations.record
FROM adopted
JOIN conversations ON conversations.id = adopted.conversation_id
ORDER BY adopted.seq
