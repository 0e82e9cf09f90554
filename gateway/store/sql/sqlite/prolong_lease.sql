UPDATE workers SET alive_until = ? WHERE name = ? AND alive_until > ?
