SELECT
    effects.seq,
    conversations.record,
    effects.id,
    effects.position,
    effects.epoch,
    effects.effect,
    effects.attempts
FROM effects INDEXED BY effects_pending
JOIN conversations ON conversations.id = effects.conversation_id
WHERE
    effects.status = 'pending'
    AND effects.worker <> :worker
    AND NOT EXISTS (SELECT 1 FROM workers WHERE name = effects.worker)
-- Not a bare seq: its index would tempt to walk through all effects that ever were.
ORDER BY +effects.seq
LIMIT :limit
