SELECT 1 FROM effects WHERE id = ? AND status = 'pending' AND worker = ?
