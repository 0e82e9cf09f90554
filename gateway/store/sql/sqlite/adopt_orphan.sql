UPDATE effects SET worker = ? WHERE seq = ?
