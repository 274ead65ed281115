"""A key that is costly to make: one for all tests of a process, none of which keeps anything under it."""

from cryptography.hazmat.primitives.asymmetric import rsa

RSA_KEY = rsa.generate_private_key(65537, 2048)
