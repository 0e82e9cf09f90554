DELETE FROM workers WHERE alive_until <= ? AND name <> ?
