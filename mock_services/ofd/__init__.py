"""Writes OFD e-licences with electronic seals: GB/T 33190 pages, GB/T 38540 V4 seals, SM2."""
