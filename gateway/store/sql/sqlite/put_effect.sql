INSERT INTO effects (id, conversation_id, position, epoch, kind, effect, worker)
VALUES (?, ?, ?, ?, ?, ?, ?)
