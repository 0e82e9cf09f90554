SELECT position, event, trace
FROM journal
WHERE conversation_id = ?
ORDER BY position
