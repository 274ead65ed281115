"""X.509 for private PKIs: paths to an anchor, and whether anybody on them was revoked. RFC 5280, RFC 6960, RFC 9618."""
