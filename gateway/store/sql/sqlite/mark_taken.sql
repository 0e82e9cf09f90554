UPDATE journal SET trace = ? WHERE conversation_id = ? AND position = ?
