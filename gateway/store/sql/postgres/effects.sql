SELECT id, position, epoch, effect, status, reason, attempts, message_index
FROM effects
WHERE conversation_id = $1
ORDER BY position, seq
