UPDATE effects
SET status = ?, reason = ?, message_index = ?
WHERE id = ? AND status = 'pending'
