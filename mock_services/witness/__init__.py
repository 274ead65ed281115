"""A witness (见证方) of transparency logs: sees that the record only grows, and signs what it saw."""
