INSERT INTO versions (hash, flow, saved_at)
VALUES (?, ?, ?)
ON CONFLICT (hash) DO NOTHING
