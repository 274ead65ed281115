"""After a restore: what the backup does not know was given out already must not be given out again."""
