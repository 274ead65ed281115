"""A province at work: every service as a process of its own, eight journeys over real HTTP, one closing table."""
