SELECT record
FROM conversations
WHERE owner IN ('bot', 'queued', 'agent') AND changed_at > $1
ORDER BY changed_at, id
