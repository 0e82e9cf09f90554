UPDATE effects
SET attempts = attempts + 1, reason = ?
WHERE id = ? AND status = 'pending'
