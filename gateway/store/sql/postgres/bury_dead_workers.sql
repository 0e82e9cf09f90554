-- Before orphans are sought: a process whose row is gone is told so when it next prolongs its lease, and one that
-- prolongs it at this moment holds the row, which is then skipped.
DELETE FROM workers
WHERE name IN (
    SELECT name FROM workers WHERE alive_until <= now() AND name <> $1 FOR UPDATE SKIP LOCKED
)
