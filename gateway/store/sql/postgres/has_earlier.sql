SELECT EXISTS (
    SELECT FROM effects
    WHERE conversation_id = $1 AND position < $2 AND status = 'pending' AND kind NOT IN ('look_up', 'fetch', 'look_around')
)
