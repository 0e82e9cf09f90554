SELECT
    version,
    record,
    ARRAY(
        SELECT position FROM journal
        WHERE conversation_id = $1 AND trace IS NULL ORDER BY position
    ) AS waiting_positions,
    ARRAY(
        SELECT event FROM journal
        WHERE conversation_id = $1 AND trace IS NULL ORDER BY position
    ) AS waiting_events,
    ARRAY(
        SELECT message_index FROM effects
        WHERE conversation_id = $1 AND message_index > heard_through ORDER BY message_index
    ) AS said,
    (
        SELECT count(*) FROM effects
        WHERE conversation_id = $1 AND status = 'pending' AND kind = 'say'
    ) AS on_the_wire
FROM conversations
WHERE id = $1
