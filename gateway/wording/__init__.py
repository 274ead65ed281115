"""措辞: sentences with their values kept apart, and the catalogues that say them in the reader's language."""
