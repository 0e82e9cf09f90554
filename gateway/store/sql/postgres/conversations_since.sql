SELECT record
FROM conversations
WHERE owner IN ('bot', 'queued') AND changed_at > $1
ORDER BY changed_at, id
