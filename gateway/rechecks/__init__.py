"""证照的后续变化: what happens at the source to a certificate that an open application rests on, found and told."""
