INSERT INTO workers (name, alive_until)
VALUES ($1, now() + $2::double precision * interval '1 second')
ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until
