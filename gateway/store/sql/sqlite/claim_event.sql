INSERT INTO journal (key, conversation_id, position, event, trace)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING
