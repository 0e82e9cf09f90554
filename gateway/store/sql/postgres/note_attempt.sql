UPDATE effects
SET attempts = attempts + 1, reason = $2
WHERE id = $1 AND status = 'pending'
