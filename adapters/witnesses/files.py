"""Checkpoints as files outside the database: ``record.checkpoint``, the latest, beside the heads of the logs.

One that the record does not follow from is never written over: it proves that the database lost or changed something,
and while it is there no checkpoint is signed under its name. Only a record under another name takes its place; then it
stays beside the new one as ``record.{size}.checkpoint``.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.head_keeper import write_whole
from gateway.errors import Owner
from gateway.records.checkpoints import Checkpoint, parse_checkpoint
from gateway.records.errors import CheckpointContradicted, checkpoint_refused
from gateway.records.merkle import ProofInvalid, verify_consistency
from gateway.records.notes import MAX_NOTE_BYTES, Note, NoteInvalid, SignatureLine, parse_note
from gateway.records.ports import Submission

LATEST: Final = "record.checkpoint"
SUFFIX: Final = ".checkpoint"


class CheckpointFiles:
    """``gateway.records.ports.Witness`` over a directory, which is made with the first checkpoint."""

    name = "files"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def observe(self, submission: Submission) -> Sequence[SignatureLine]:
        """See ``Witness.observe``. Raises ``OSError`` too."""
        before = await asyncio.to_thread(latest_checkpoint, self._directory)
        after = parse_checkpoint(submission.note.text)
        ended = before if before is not None and before.origin != after.origin else None
        if before is not None and ended is None and not await _follows(before, after, submission):
            raise CheckpointContradicted(
                check="record.kept_checkpoint_contradicted",
                owner=Owner.GATEWAY,
                remedy="库外保存的检查点与数据库不一致，请核查数据库是否被改动或回退",
                partner=self.name,
            )
        await asyncio.to_thread(self._replace, ended, submission.note)
        return ()

    def _replace(self, ended: Checkpoint | None, note: Note) -> None:
        path = self._directory / LATEST
        self._directory.mkdir(parents=True, exist_ok=True)
        if ended is not None:
            path.replace(self._directory / f"record.{ended.size}{SUFFIX}")
        write_whole(path, str(note).encode())


class KeptCheckpointFile:
    """``gateway.records.ports.KeptCheckpoint``: what ``CheckpointFiles`` keeps in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def latest(self) -> Checkpoint | None:
        """See ``KeptCheckpoint.latest``."""
        try:
            return latest_checkpoint(self._directory)
        except OSError:
            raise checkpoint_refused(
                "unreadable", "库外保存的检查点无法读取，不再签发：请检查 BANDIAN_HEADS_DIR 的权限与磁盘"
            ) from None


async def _follows(before: Checkpoint, after: Checkpoint, submission: Submission) -> bool:
    try:
        verify_consistency(before.size, after.size, await submission.proof_from(before.size), before.root, after.root)
    except ProofInvalid:
        return False
    return True


def _kept_at(path: Path) -> Note | None:
    """None where there is no file, or no checkpoint in it: then there is nothing in it to lose."""
    try:
        with path.open("rb") as stream:
            note = parse_note(stream.read(MAX_NOTE_BYTES + 1))
        parse_checkpoint(note.text)
    except (FileNotFoundError, NoteInvalid):
        return None
    return note


def checkpoint_paths(directory: Path) -> Sequence[Path]:
    """The files of all checkpoints in ``directory``, also of those set aside. Raises ``OSError``."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    return [directory / name for name in names if name.endswith(SUFFIX) and not name.startswith(".")]


def latest_checkpoint(directory: Path) -> Checkpoint | None:
    """What ``record.checkpoint`` says; None where there is none. Raises ``OSError``."""
    kept = _kept_at(directory / LATEST)
    return None if kept is None else parse_checkpoint(kept.text)
