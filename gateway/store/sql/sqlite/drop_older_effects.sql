UPDATE effects INDEXED BY effects_pending
SET status = 'dropped', reason = 'epoch'
WHERE conversation_id = ? AND status = 'pending' AND epoch < ?
