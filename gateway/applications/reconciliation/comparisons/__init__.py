"""One file per comparison, each exporting ``COMPARISON``. They do not know each other."""
