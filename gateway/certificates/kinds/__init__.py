"""One file per kind of e-certificate, each exporting ``KIND``. Kinds do not know each other."""
