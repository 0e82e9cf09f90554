SELECT flow FROM versions WHERE hash = ?
