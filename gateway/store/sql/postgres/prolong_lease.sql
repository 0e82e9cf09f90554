UPDATE workers
SET alive_until = now() + $2::double precision * interval '1 second'
WHERE name = $1 AND alive_until > now()
RETURNING true
