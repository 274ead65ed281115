"""A file whose age tells a supervisor whether the process still gets on with its work."""

from datetime import datetime, timedelta
from pathlib import Path

import structlog

EVERY = timedelta(seconds=5)

log = structlog.get_logger()


class Heartbeat:
    """Touches ``path`` at most once in ``every``. Where it cannot, work goes on, and the age of the file tells."""

    def __init__(self, path: Path, every: timedelta = EVERY) -> None:
        self._path = path
        self._every = every
        self._last: datetime | None = None

    def __call__(self, at: datetime) -> None:
        """Something was done at ``at``."""
        if self._last is not None and timedelta() <= at - self._last < self._every:
            return
        self._last = at
        try:
            self._path.touch()
        except OSError as error:
            log.warning("heartbeat.untouched", fault=type(error).__name__)
