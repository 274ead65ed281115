"""电子证照: what a certificate is, what it must satisfy, and how its signatures are proved."""
