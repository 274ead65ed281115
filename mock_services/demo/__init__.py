"""A province at work: every service as a process of its own, eleven journeys over real HTTP, one closing table."""
