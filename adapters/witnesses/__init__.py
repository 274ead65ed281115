"""Who is shown the checkpoints of the record: a directory outside the database, services that co-sign."""
