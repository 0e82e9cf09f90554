INSERT INTO workers (name, alive_until)
VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until
