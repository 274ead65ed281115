"""Strict JOSE and the signature seam, placed low so that every room may use them. No room's rules live here."""
