"""工作人员: who signs in to the console, in which role, and for how long. Their own provider says who they are."""
