"""备份: what a backup says of itself, and what shows that it can be relied on. Pure."""
