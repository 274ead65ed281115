"""A mock of the province's sign-in for officers: OpenID Connect, with a name and roles in the ID token."""
