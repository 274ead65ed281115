"""A province to develop against: sources, identity, departments and a utility, each its own process."""
