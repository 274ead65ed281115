"""The hot paths of the gateway, measured against a bare program that does the same work (``make bench``)."""
