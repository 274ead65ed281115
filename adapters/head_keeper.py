"""Heads of the record as files outside the database: ``{log_id}.json``, the last that was kept of each log.

A head that the database no longer holds is never written over: it is the proof that the database lost something, by
a restored backup or by hand. It stays beside the new one as ``{log_id}.{number}.json``.
"""

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from gateway.records.heads import MAX_HEAD_BYTES, decode_head, encode_head
from gateway.records.log import Seal

PAUSE_S: Final = 1.0
"""Seconds between two writes of a log's head: so much of its end can be cut off unseen when the process is killed."""
CLOSE_WITHIN_S: Final = 5.0
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

log = structlog.get_logger()


class HeadUnreadable(ValueError):
    """A file holds no head, or cannot be opened; the text is one sentence that names it."""


class HeadFiles:
    """``gateway.records.ports.HeadKeeper`` over a directory, which is made with the first head.

    A thread of its own writes, so that neither a slow disk nor a full one holds up a commit or an answer; what could
    not be written is told in the log and tried again.
    """

    def __init__(self, directory: Path, pause_s: float = PAUSE_S) -> None:
        self._directory = directory
        self._pause_s = pause_s
        self._waiting: dict[str, Seal] = {}
        self._first: dict[str, Seal] = {}
        self._met: set[str] = set()
        self._changed = threading.Condition()
        self._closing = self._idle = False
        self._failing: set[str] = set()
        self._thread: threading.Thread | None = None

    def keep(self, seal: Seal) -> None:
        """See ``HeadKeeper.keep``."""
        with self._changed:
            self._first.setdefault(seal.log_id, seal)
            self._waiting[seal.log_id] = seal
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heads", daemon=True)
                self._thread.start()
            if self._idle:  # else it comes by itself, and would be woken for nothing with every commit
                self._changed.notify()

    @property
    def not_kept(self) -> int:
        """How many logs have a head that could not be written the last time."""
        return len(self._failing)

    def close(self) -> None:
        """See ``HeadKeeper.close``; waits for at most ``CLOSE_WITHIN_S``."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = True
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._idle = False
                taken, self._waiting = self._waiting, {}
                last_round = self._closing
            for seal in taken.values():
                self._write(seal)
            with self._changed:
                if last_round:
                    return
                self._changed.wait_for(lambda: self._closing, self._pause_s)

    def _write(self, seal: Seal) -> None:
        try:
            self._replace(seal)
            self._failing.discard(seal.log_id)
        except OSError as error:
            if seal.log_id not in self._failing:
                log.error("record.head_not_kept", error=type(error).__name__, errno=error.errno)
            self._failing.add(seal.log_id)
            with self._changed:
                self._waiting.setdefault(seal.log_id, seal)

    def _replace(self, seal: Seal) -> None:
        if not _PLAIN_NAME.fullmatch(seal.log_id):
            raise OSError("a log that is not named as logs are")
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{seal.log_id}.json"
        kept = _kept_at(path)
        if seal.log_id not in self._met:
            if kept is not None and not _leads_to(kept, self._first[seal.log_id]):
                aside = self._directory / f"{seal.log_id}.{kept.number}.json"
                path.replace(aside)
                log.error("record.kept_head_contradicted", log_id=seal.log_id, head=kept.number)
                kept = None
            self._met.add(seal.log_id)
        if kept is None or kept.number < seal.number:  # another process may have continued the log since
            write_whole(path, encode_head(seal))


def _kept_at(path: Path) -> Seal | None:
    """None where there is no file, or no head in it: then there is nothing in it to lose."""
    try:
        return read_head(path)
    except HeadUnreadable:
        return None


def _leads_to(kept: Seal, first: Seal) -> bool:
    """Whether the log may have gone on from ``kept`` to ``first``, the first that this process sealed in it."""
    if kept.number < first.number - 1:
        return True
    return kept.hash() == (first.previous_hash if kept.number == first.number - 1 else first.hash())


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` in place of ``path``, whole or not at all, and durably. Raises ``OSError``."""
    draft = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_head(path: Path) -> Seal:
    """The head in a file. Raises ``HeadUnreadable``."""
    try:
        with path.open("rb") as stream:
            return decode_head(stream.read(MAX_HEAD_BYTES + 1))
    except OSError as error:
        raise HeadUnreadable(f"{path} cannot be opened ({error.strerror}).") from None
    except ValueError:
        raise HeadUnreadable(f"{path} holds no head of a log.") from None


def head_paths(directory: Path) -> Sequence[Path]:
    """The files of all heads in ``directory``, also of those set aside; none where there is no directory.

    Raises ``HeadUnreadable`` for a directory that cannot be opened.
    """
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HeadUnreadable(f"{directory} cannot be opened ({error.strerror}).") from None
    return [directory / name for name in names if name.endswith(".json") and not name.startswith(".")]


def latest_heads(directory: Path) -> Sequence[Seal]:
    """The head of each log as it was kept last; none of those set aside, nor what holds none."""
    return [head for path, head in _heads_in(directory) if path.stem == head.log_id]


def all_heads(directory: Path) -> Sequence[Seal]:
    """Every head that was kept, also those set aside; not what holds none."""
    return [head for _, head in _heads_in(directory)]


def _heads_in(directory: Path) -> list[tuple[Path, Seal]]:
    try:
        found = [(path, _kept_at(path)) for path in head_paths(directory)]
    except HeadUnreadable:
        return []
    return [(path, head) for path, head in found if head is not None]


def set_aside(directory: Path, heads: Sequence[Seal], into: str) -> int:
    """Move the files of ``heads`` into the folder ``into`` of ``directory``; answers how many. Raises ``OSError``."""
    moved = 0
    for path in head_paths(directory):
        if _kept_at(path) in heads:
            (directory / into).mkdir(mode=0o700, exist_ok=True)
            path.replace(directory / into / path.name)
            moved += 1
    return moved
