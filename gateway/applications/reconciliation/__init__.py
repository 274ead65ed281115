"""证照一致性: do the certificates of one application agree with one another, and with who applies? Pure."""
