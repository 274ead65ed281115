"""存证: the tamper-evident record. Everything decided or disclosed, refusals too, is an entry of an append-only log."""
