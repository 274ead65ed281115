"""SQLite and PostgreSQL behind one unit of work."""
