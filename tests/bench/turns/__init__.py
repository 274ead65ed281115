"""Two checkouts by turns, each in one process that is asked without sockets: finer than a ratio to a limit."""
