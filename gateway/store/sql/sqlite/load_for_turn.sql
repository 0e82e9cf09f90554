SELECT
    record,
    (
        SELECT group_concat(message_index)
        FROM effects
        WHERE conversation_id = conversations.id AND message_index > conversations.heard_through
    ),
    (
        SELECT count(*)
        FROM effects
        WHERE conversation_id = conversations.id AND status = 'pending' AND kind = 'say'
    )
FROM conversations
WHERE id = ?
