SELECT 1 FROM journal WHERE key = ?
