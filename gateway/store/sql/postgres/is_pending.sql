SELECT EXISTS (SELECT FROM effects WHERE id = $1 AND status = 'pending' AND worker = $2)
