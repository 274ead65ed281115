"""C2SP tlog-witness: ``POST /add-checkpoint``. It really checks, keeps what it saw, and refuses a fork.

What it knows survives it: ``state.json`` is written before it answers.
"""

import base64
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from mock_services.witness.tree import EMPTY_ROOT, grows

SIZE_MEDIA_TYPE = "text/x.tlog.size"
MAX_PROOF = 63


def vkey(name: str, kind: int, public_key: bytes) -> str:
    """``name+id+base64`` of a C2SP verifier key."""
    encoded = base64.b64encode(bytes([kind]) + public_key).decode()
    return f"{name}+{_key_id(name, kind, public_key).hex()}+{encoded}"


def _key_id(name: str, kind: int, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


@dataclass(frozen=True)
class LogKey:
    """A key by which a log signs, of type 0x01."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> "LogKey":
        """Raises ``ValueError`` for anything but a vkey of that type."""
        name, key_id, encoded = text.split("+", 2)
        decoded = base64.b64decode(encoded, validate=True)
        if decoded[0] != 1 or _key_id(name, 1, decoded[1:]).hex() != key_id:
            raise ValueError("not a key of a log")
        return cls(name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(decoded[1:]))


@dataclass
class Refused(Exception):
    """An answer other than a cosignature."""

    status: int
    body: str = ""
    media_type: str = "text/plain"


@dataclass
class MockWitness:
    """The witness ``name``; ``origins`` are the logs that it follows, each with the keys that it trusts for it."""

    name: str
    key: Ed25519PrivateKey
    origins: dict[str, list[LogKey]]
    state_file: Path
    seconds: Callable[[], int]
    fault: Callable[[], bool] = lambda: False
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.state_file.exists():
            self._seen = {
                origin: (size, root) for origin, (size, root) in json.loads(self.state_file.read_text()).items()
            }

    @property
    def vkey(self) -> str:
        """What those who trust it are given."""
        return vkey(self.name, 4, self.key.public_key().public_bytes_raw())

    def forget(self) -> None:
        """As if it had never seen a log."""
        with self._one_at_a_time:
            self._seen = {}
            self.state_file.unlink(missing_ok=True)

    def add_checkpoint(self, body: bytes) -> str:
        """The signature line for the checkpoint in ``body``. Raises ``Refused``."""
        old_size, proof, text, signatures = _parse(body)
        origin, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), _hash(root_line)
        if origin not in self.origins:
            raise Refused(404)
        if not any(_signed(text, line, key) for line in signatures for key in self.origins[origin]):
            raise Refused(403)
        if old_size > size:
            raise Refused(400)
        with self._one_at_a_time:
            seen_size, seen_root = self._seen.get(origin, (0, EMPTY_ROOT.hex()))
            if old_size != seen_size:
                raise Refused(409, f"{seen_size}\n", SIZE_MEDIA_TYPE)
            if old_size == size and root.hex() != seen_root:
                raise Refused(409, f"{seen_size}\n", SIZE_MEDIA_TYPE)
            if not grows(old_size, size, bytes.fromhex(seen_root), root, proof):
                raise Refused(422)
            self._keep({**self._seen, origin: (size, root.hex())})
        return self._cosigned(text)

    def _keep(self, seen: dict[str, tuple[int, str]]) -> None:
        draft = self.state_file.with_suffix(".draft")
        with draft.open("w") as stream:
            json.dump(seen, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self.state_file)
        self._seen = seen

    def _cosigned(self, text: str) -> str:
        seconds = self.seconds()
        signature = self.key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        if self.fault():
            signature = bytes(64)
        key_id = _key_id(self.name, 4, self.key.public_key().public_bytes_raw())
        return f"— {self.name} {base64.b64encode(key_id + seconds.to_bytes(8, 'big') + signature).decode()}\n"


def _parse(body: bytes) -> tuple[int, list[bytes], str, list[str]]:
    try:
        head, _, note = body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        word, digits = first.split(" ")
        text, _, signatures = note.rpartition("\n\n")
        lines = [line for line in signatures.split("\n") if line]
        sizes = (digits, text.split("\n")[1])
        if word != "old" or len(proof) > MAX_PROOF or not lines or any(str(int(each)) != each for each in sizes):
            raise ValueError
        return int(digits), [_hash(line) for line in proof], text + "\n", lines
    except (ValueError, IndexError):
        raise Refused(400) from None


def _hash(line: str) -> bytes:
    try:
        decoded = base64.b64decode(line, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise Refused(400)
    return decoded


def _signed(text: str, line: str, key: LogKey) -> bool:
    try:
        _, name, encoded = line.split(" ")
        decoded = base64.b64decode(encoded, validate=True)
        if (name, decoded[:4]) != (key.name, key.key_id):
            return False
        key.public_key.verify(decoded[4:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def install(app: FastAPI, witness: MockWitness) -> None:
    """Give ``app`` the witness's interface."""

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        try:
            return PlainTextResponse(witness.add_checkpoint(await request.body()))
        except Refused as refused:
            return Response(refused.body, refused.status, media_type=refused.media_type)

    @app.get("/vkey")
    async def own_key() -> dict[str, Any]:
        return {"vkey": witness.vkey}
