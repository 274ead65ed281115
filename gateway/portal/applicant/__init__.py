"""The applicant's pages: what is needed, who one is, what was found, how it goes on, who looked, and the way out."""
