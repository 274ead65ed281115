"""The forms in which a certificate travels: JWS, and OFD with an electronic seal."""
