SELECT 1
FROM effects INDEXED BY effects_pending
WHERE conversation_id = ? AND position < ? AND status = 'pending' AND kind NOT IN ('look_up', 'fetch', 'look_around')
LIMIT 1
