"""The door: who is calling, what goes in and out, and every error as one kind of document."""
