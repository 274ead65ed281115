"""核验: a utility asks for a verified licence of one application, and gets exactly what it may have – signed."""
