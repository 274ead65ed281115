"""The only composition root: builds each service once, from settings.

Whoever needs a part imports its file, so that a command does not load what only the serving process has.
"""
