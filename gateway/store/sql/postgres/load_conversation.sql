SELECT record FROM conversations WHERE id = $1
