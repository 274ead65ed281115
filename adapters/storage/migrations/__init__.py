"""Alembic migrations; ``adapters.storage.migrate`` runs them."""
