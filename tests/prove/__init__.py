"""The proof of delivery: a whole province in real processes, killed anywhere, and a checker that counts afterwards."""
