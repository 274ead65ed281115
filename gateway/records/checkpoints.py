"""C2SP tlog-checkpoint and tlog-cosignature: the head of the super log as a signed note. Pure.

The text is three lines: ``<origin>``, ``<size>`` in decimal, and the root in base64. The log signs it; witnesses sign
``cosignature/v1``, ``time <seconds>`` and the text, and their lines stand below the log's.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.records.merkle import HASH_BYTES
from gateway.records.notes import (
    COSIGNATURE_TYPE,
    Note,
    NoteInvalid,
    SignatureLine,
    VerifierKey,
    is_key_name,
    proved_by,
)

MAX_SIZE: Final = 2**63 - 1
_STAMP_BYTES: Final = 8
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: the log's name, how many leaves it has, and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs notes as ``key``; ``sign`` answers the signature over the bytes it is given."""

    key: VerifierKey
    sign: Callable[[bytes], bytes]

    def line(self, text: str) -> SignatureLine:
        """A signature line for the note's ``text``."""
        return SignatureLine(self.key.name, self.key.key_id, self.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class Cosignature:
    """That ``witness`` saw the checkpoint, at ``seen_at``, follow from every one that it had seen before."""

    witness: str
    seen_at: datetime
    line: SignatureLine


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> Note:
    """The checkpoint, signed by each of ``signers`` (at least one)."""
    text = checkpoint.text()
    return Note(text, tuple(signer.line(text) for signer in signers))


def parse_checkpoint(text: str) -> Checkpoint:
    """What the note's ``text`` says. Raises ``NoteInvalid``, for extension lines too: this log writes none."""
    match text.split("\n"):
        case [origin, size, root, ""] if is_key_name(origin) and _SIZE.fullmatch(size) and int(size) <= MAX_SIZE:
            try:
                checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
            except ValueError:
                raise NoteInvalid("the root is not base64") from None
            if len(checkpoint.root) == HASH_BYTES and checkpoint.text() == text:
                return checkpoint
    raise NoteInvalid("a checkpoint is an origin, a size and a root of 32 bytes, a line each")


def verified_checkpoint(note: Note, keys: Sequence[VerifierKey], origin: str | None = None) -> Checkpoint:
    """What the note says, proved to be signed by one of ``keys``, which are the log's.

    Raises ``NoteInvalid`` where it is not, or is of another ``origin``; for SM2 also ``AlgorithmUnavailable``.
    """
    proved_by(note, keys)
    checkpoint = parse_checkpoint(note.text)
    if origin is not None and checkpoint.origin != origin:
        raise NoteInvalid("the checkpoint is of another log")
    return checkpoint


def cosigned_message(text: str, seconds: int) -> bytes:
    """What a witness signs over the note's ``text`` at ``seconds`` since 1970."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosign(text: str, signer: NoteSigner, at: datetime) -> SignatureLine:
    """A witness's line: a big-endian count of seconds in 8 bytes, and Ed25519 over ``cosigned_message``."""
    seconds = int(at.timestamp())
    signature = signer.sign(cosigned_message(text, seconds))
    return SignatureLine(signer.key.name, signer.key.key_id, seconds.to_bytes(_STAMP_BYTES) + signature)


def cosignatures_of(note: Note, witnesses: Sequence[VerifierKey]) -> tuple[Cosignature, ...]:
    """What ``witnesses`` (of type 0x04) signed of the note; lines by others are passed over.

    Raises ``NoteInvalid`` where a line that claims to be by one of them is wrong.
    """
    found = []
    for line in note.signatures:
        for key in witnesses:
            if key.type == COSIGNATURE_TYPE and key.signed(line):
                seconds = int.from_bytes(line.signature[:_STAMP_BYTES])
                key.verify(cosigned_message(note.text, seconds), line.signature[_STAMP_BYTES:])
                found.append(Cosignature(key.name, _instant(seconds), line))
    return tuple(found)


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise NoteInvalid("a cosignature's time is none") from None
