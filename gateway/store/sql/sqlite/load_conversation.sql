SELECT record FROM conversations WHERE id = ?
