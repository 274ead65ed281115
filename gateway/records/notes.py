"""C2SP signed-note v1: a text, a blank line, and signature lines. Pure: bytes in, values out, nothing trusted silently.

A line is ``— <key name> <base64(key ID ‖ signature)>``. The key ID is the first four bytes of
SHA-256(name ‖ 0x0A ‖ signature type ‖ public key). A verifier key (vkey) is written
``<name>+<key ID in hexadecimal>+<base64(signature type ‖ public key)>``.

Signature types spoken here: 0x01 Ed25519 over the text; 0x04 a witness's cosignature (``checkpoints``); and under 0xff,
which the specification leaves to others, SM2 with SM3 over the text, as ``SM2_TYPE`` names it (docs/divergences.md).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.crypto import sm2
from gateway.crypto.errors import KeyUnfit, SignatureInvalid
from gateway.crypto.schemes import Encoding

ED25519_TYPE: Final = b"\x01"
COSIGNATURE_TYPE: Final = b"\x04"
SM2_TYPE: Final = b"\xffbandian-gateway/SM2-SM3/v1\n"
"""Ours: 0xff and an identifier. The public key is the uncompressed point (65 bytes), the signature r‖s (64 bytes)."""

MAX_NOTE_BYTES: Final = 65536
MAX_SIGNATURES: Final = 64
KEY_ID_BYTES: Final = 4
_KEY_BYTES: Final = {ED25519_TYPE: 32, COSIGNATURE_TYPE: 32, SM2_TYPE: 65}
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NAME: Final = re.compile(r"[^\s+]+")
_VKEY: Final = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class NoteInvalid(ValueError):
    """A note, a key or a signature is not what it should be; the text says why, in words of ours alone."""


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line. ``signature`` is what follows the key ID."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note; ``text`` ends with a line break, and says nothing until a signature was verified."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def also_signed(self, lines: Iterable[SignatureLine]) -> "Note":
        """The same note with ``lines`` behind those that it has, each once."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *lines])))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, its name, and the type of signature that it verifies: one of those named above."""

    name: str
    type: bytes
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise NoteInvalid("a key name is not empty and has neither spaces nor a plus sign")
        if len(self.public_key) != _KEY_BYTES.get(self.type, -1):
            raise NoteInvalid("the key is of a type that is not spoken here, or of another length")

    @property
    def key_id(self) -> bytes:
        """Four bytes."""
        return sha256(self.name.encode() + b"\n" + self.type + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(self.type + self.public_key)}"

    def signed(self, line: SignatureLine) -> bool:
        """Whether ``line`` claims to be by this key."""
        return (line.name, line.key_id) == (self.name, self.key_id)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Prove ``signature`` over ``message``. Raises ``NoteInvalid``, for SM2 also ``AlgorithmUnavailable``."""
        try:
            if self.type == SM2_TYPE:
                sm2.library().public_key(self.public_key).verify(message, signature, Encoding.RAW)
            else:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, SignatureInvalid, KeyUnfit, ValueError):
            raise NoteInvalid("a signature is wrong") from None


def is_key_name(name: str) -> bool:
    """Whether a key may be named so."""
    return _NAME.fullmatch(name) is not None and _CONTROL.search(name) is None


def parse_note(data: bytes) -> Note:
    """The note in ``data``, taken only as ``Note.__str__`` would write it. Raises ``NoteInvalid``."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteInvalid("too large for a note")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NoteInvalid("a note is UTF-8") from None
    if _CONTROL.search(whole):
        raise NoteInvalid("a note has no control characters but line breaks")
    text, blank, signed = whole.rpartition("\n\n")
    if not blank or not text:
        raise NoteInvalid("a note is a text, a blank line and signatures")
    return Note(text + "\n", parse_signature_lines(signed))


def parse_signature_lines(signed: str) -> tuple[SignatureLine, ...]:
    """At least one line, each with its line break; a witness answers the same. Raises ``NoteInvalid``."""
    if not signed.endswith("\n"):
        raise NoteInvalid("each signature ends its line")
    lines = signed[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteInvalid("too many signatures")
    return tuple(_parse_line(line) for line in lines)


def _parse_line(line: str) -> SignatureLine:
    match line.split(" "):
        case ["—", name, encoded] if is_key_name(name):
            decoded = _decode(encoded)
            if len(decoded) > KEY_ID_BYTES:
                return SignatureLine(name, decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])
    raise NoteInvalid("a signature is a dash, a key name and base64, with single spaces between")


def parse_vkey(text: str) -> VerifierKey:
    """The key in ``name+id+base64``. Raises ``NoteInvalid``, also where the ID is not that of the key."""
    match = _VKEY.fullmatch(text)
    if match is None:
        raise NoteInvalid("a verifier key is a name, eight hexadecimal digits and base64, with plus signs between")
    decoded = _decode(match[3])
    for kind in _KEY_BYTES:
        if decoded.startswith(kind):
            key = VerifierKey(match[1], kind, decoded[len(kind) :])
            if key.key_id.hex() != match[2]:
                raise NoteInvalid("the ID of a verifier key is not that of the key")
            return key
    raise NoteInvalid("the key is of a type that is not spoken here")


def proved_by(note: Note, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The keys among ``keys`` (0x01 and SM2) that signed the note's text; unknown signatures are passed over.

    Raises ``NoteInvalid`` where a line that claims to be by one of them is wrong, and where none is by any of them;
    for SM2 also ``AlgorithmUnavailable``.
    """
    text, proved = note.text.encode(), []
    for line in note.signatures:
        for key in keys:
            if key.signed(line):
                key.verify(text, line.signature)
                proved.append(key)
    if not proved:
        raise NoteInvalid("no signature is by a key that is trusted")
    return tuple(proved)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    """Standard base64 (RFC 4648 §4) in its one spelling."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded or _base64(decoded) != text:
        raise NoteInvalid("base64 is not as RFC 4648 §4 writes it")
    return decoded
