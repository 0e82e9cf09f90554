UPDATE effects
SET status = $2, reason = $3, message_index = $4
WHERE id = $1 AND status = 'pending'
