SELECT position, event
FROM journal
WHERE conversation_id = ? AND trace IS NULL
ORDER BY position
