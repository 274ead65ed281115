"""A mock of the province's identity provider: OpenID Connect with face, SMS, counter and electronic licence."""
