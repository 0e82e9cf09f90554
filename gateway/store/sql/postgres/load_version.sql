SELECT flow FROM versions WHERE hash = $1
