INSERT INTO conversations (id, owner, heard_through, changed_at, record)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    owner = excluded.owner,
    heard_through = excluded.heard_through,
    changed_at = excluded.changed_at,
    record = excluded.record
