SELECT position, event, trace
FROM journal
WHERE conversation_id = $1
ORDER BY position
