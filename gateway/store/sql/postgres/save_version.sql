INSERT INTO versions (hash, flow, saved_at)
VALUES ($1, $2, now())
ON CONFLICT (hash) DO NOTHING
