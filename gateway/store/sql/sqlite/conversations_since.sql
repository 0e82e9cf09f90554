SELECT record
FROM conversations
WHERE owner IN ('bot', 'queued', 'agent') AND changed_at > ?
ORDER BY changed_at, id
