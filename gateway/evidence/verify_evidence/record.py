"""The record: RFC 9162 trees, C2SP checkpoints and cosignatures."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from .errors import Refused
from .keys import PublicKey, verify_jose
from .reading import epoch, instant_of, list_of, number_of, read_object, text_of, unbase64
from .sm2 import Sm2Key
from .work import spend

SUPER_LOG: Final = "super"
"""What the log above all logs is called where one is named; no other is."""
MAX_PATH: Final = 64
MAX_SIGNATURES: Final = 64


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 §2.1.1."""
    spend("bytes", len(leaf))
    return hashlib.sha256(b"\0" + leaf).digest()


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of the tree of ``size`` leaves in which ``leaf`` (its hash) is number ``index`` from 0, by its ``path``.

    RFC 9162 §2.1.3.2. Raises ``Refused`` for a path that fits no such tree.
    """
    spend("proof nodes", len(path))
    if not 0 <= index < size:
        raise Refused("the leaf lies outside its tree")
    node, last, here = leaf, size - 1, index
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Refused("the inclusion proof does not fit its tree")
        if here & 1 or here == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        here, last = here >> 1, last >> 1
    if last:
        raise Refused("the inclusion proof does not fit its tree")
    return node


def grown(old_size: int, new_size: int, path: Sequence[bytes], old_root: bytes) -> bytes:
    """The root of the tree of ``new_size`` leaves that begins with those ``old_size`` (at least 1, fewer) of
    ``old_root``, by the consistency proof ``path``.

    RFC 9162 §2.1.4.2. Raises ``Refused`` for a path that fits no such trees, or another older root.
    """
    spend("proof nodes", len(path))
    if not 0 < old_size < new_size or any(len(each) != 32 for each in path):
        raise Refused("the consistency proof does not fit its trees")
    nodes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    here, last = old_size - 1, new_size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    if not nodes:
        raise Refused("the consistency proof does not fit its trees")
    old = new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise Refused("the consistency proof does not fit its trees")
        if here & 1 or here == last:
            old, new = (hashlib.sha256(b"\1" + sibling + each).digest() for each in (old, new))
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = hashlib.sha256(b"\1" + new + sibling).digest()
        here, last = here >> 1, last >> 1
    if last or old != old_root:
        raise Refused("the later one does not begin with the earlier one")
    return new


def hashes_of(holder: Mapping[str, Any], name: str) -> list[bytes]:
    """The hashes of a proof. Raises ``Refused``."""
    found = list_of(holder, name)
    if len(found) > MAX_PATH:
        raise Refused("a proof that is longer than any")
    return [unbase64(each) for each in found]


ED25519_NOTE, COSIGNATURE, SM2_NOTE = b"\x01", b"\x04", b"\xffbandian-gateway/SM2-SM3/v1\n"


@dataclass(frozen=True)
class NoteKey:
    """A verifier key (C2SP signed-note): its name, the four bytes it is found by, its signature type, and the key."""

    name: str
    hint: bytes
    algorithm: bytes
    key: PublicKey

    @classmethod
    def read(cls, line: str) -> "NoteKey":
        """``<name>+<hash>+<base64 of signature type and key>``. Raises ``Refused``."""
        parts = line.split("+", 2)
        if len(parts) != 3:
            raise Refused("not a verifier key")
        name, hint, encoded = parts[0], parts[1], unbase64(parts[2])
        expected = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
        if not name or hint != expected.hex() or not encoded:
            raise Refused("not a verifier key: its hash is another")
        for algorithm in (ED25519_NOTE, COSIGNATURE, SM2_NOTE):
            key = encoded.removeprefix(algorithm)
            if encoded.startswith(SM2_NOTE) and algorithm == SM2_NOTE:
                return cls(name, expected, algorithm, _sm2_note_key(key))
            if len(key) == 32 and len(encoded) == 33:
                return cls(name, expected, algorithm, ed25519.Ed25519PublicKey.from_public_bytes(key))
        raise Refused("not a verifier key: an algorithm unknown here")

    def verify(self, signature: bytes, text: bytes) -> datetime | None:
        """The time that a cosignature tells, None for a plain signature. Raises ``Refused``, ``NotProved``."""
        at = None
        if self.algorithm == COSIGNATURE:
            if len(signature) != 72:
                raise Refused("the signature is wrong")
            seconds, signature = int.from_bytes(signature[:8]), signature[8:]
            at, text = epoch(seconds), f"cosignature/v1\ntime {seconds}\n".encode() + text
        verify_jose("SM2-SM3" if self.algorithm == SM2_NOTE else "EdDSA", self.key, signature, text)
        return at


def _sm2_note_key(key: bytes) -> PublicKey:
    if len(key) != 65 or key[0] != 4:
        raise Refused("not a verifier key: not an uncompressed SM2 point")
    return Sm2Key(int.from_bytes(key[1:33]), int.from_bytes(key[33:]))


@dataclass(frozen=True)
class Checkpoint:
    """A C2SP checkpoint as it was published: ``text`` is what is signed, ``lines`` name, hint and signature."""

    origin: str
    size: int
    root: bytes
    text: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def read(cls, note: str) -> "Checkpoint":
        """Raises ``Refused``."""
        text, parted, signatures = note.rpartition("\n\n")
        body = text.split("\n")
        if (
            not parted
            or not signatures.endswith("\n")
            or len(body) != 3
            or not re.fullmatch(r"0|[1-9][0-9]{0,17}", body[1])
        ):
            raise Refused("not a checkpoint")
        lines = []
        if signatures.count("\n") > MAX_SIGNATURES:
            raise Refused("a checkpoint with more signatures than are read")
        for line in signatures[:-1].split("\n"):
            parts = line.split(" ")
            signature = unbase64(parts[2]) if len(parts) == 3 and parts[0] == "—" else b""
            if len(signature) < 5:
                raise Refused("not a signature line of a checkpoint")
            lines.append((parts[1], signature[:4], signature[4:]))
        root = unbase64(body[2])
        if len(root) != 32:
            raise Refused("not a checkpoint")
        return cls(body[0], int(body[1]), root, (text + "\n").encode(), tuple(lines))


@dataclass(frozen=True)
class Entry:
    """A record entry whose inclusion in a checkpoint was proved; whether that is signed is told beside it.

    ``head`` is the log, how far it went, and its root; ``place`` the number from 0 of the leaf of the super log that
    says so; ``note`` the checkpoint as it was published.
    """

    entry_id: str
    where: str
    head: tuple[str, int, str]
    place: int
    note: str
    action: str
    actor: str
    at: datetime
    result: str
    subject: str | None
    facts: Mapping[str, Any]


def entry_of(proof: Mapping[str, Any], where: str) -> tuple[Entry, Checkpoint]:
    """The entry that ``proof`` is about, and the checkpoint that holds it. Raises ``Refused``."""
    log, sequence, log_size = text_of(proof, "log"), number_of(proof, "sequence"), number_of(proof, "log_size")
    entry_id = text_of(proof, "record_id")
    if entry_id != f"{log}-{sequence}" or sequence < 1 or log == SUPER_LOG:
        raise Refused("the entry's name is not that of its place")
    leaf = unbase64(proof.get("leaf"))
    root = included(leaf_hash(leaf), sequence - 1, log_size, hashes_of(proof, "inclusion"))
    above = proof.get("super_leaf")
    if not isinstance(above, dict):
        raise Refused("the place of the log in the record is missing")
    upper = unbase64(above.get("leaf"))
    said = read_object(upper)
    if (said.get("log"), said.get("last"), said.get("root"), said.get("v")) != (log, log_size, root.hex(), 1):
        raise Refused("the entry is not in its log as the record has it")
    path, note = hashes_of(above, "inclusion"), text_of(proof, "checkpoint")
    checkpoint, place = Checkpoint.read(note), number_of(above, "index")
    if number_of(above, "size") != checkpoint.size:
        raise Refused("the proof is for another size of the record than its checkpoint")
    if included(leaf_hash(upper), place, checkpoint.size, path) != checkpoint.root:
        raise Refused("the log is not in the record as its checkpoint has it")
    spoken = read_object(leaf)
    subject, facts = spoken.get("subject"), spoken.get("facts")
    if not isinstance(facts, dict) or not isinstance(subject, str | None) or spoken.get("v") != 1:
        raise Refused("not an entry")
    return (
        Entry(
            entry_id,
            where,
            (log, log_size, root.hex()),
            place,
            note,
            text_of(spoken, "action"),
            text_of(spoken, "actor"),
            instant_of(spoken, "at"),
            text_of(spoken, "result"),
            subject,
            facts,
        ),
        checkpoint,
    )
