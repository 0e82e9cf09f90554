SELECT id, position, epoch, effect, status, reason, attempts, message_index
FROM effects
WHERE conversation_id = ?
ORDER BY position, seq
