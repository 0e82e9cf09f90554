SELECT record
FROM conversations
WHERE owner IN ('bot', 'queued') AND changed_at > ?
ORDER BY changed_at, id
