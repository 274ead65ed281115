"""供用电合同电子化: the low-voltage supply contract, sent by the utility, signed by the applicant."""
