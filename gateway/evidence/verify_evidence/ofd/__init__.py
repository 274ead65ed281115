"""OFD documents under electronic seals (GB/T 33190, GB/T 38540): the one reading that leaves no choice, or none."""
