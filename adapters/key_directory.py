"""The gateway's own signing keys: PKCS #8 PEM files ``{purpose}-{YYYYMMDD}.pem``, 0600 in a 0700 directory.

Rotation needs no downtime: a file dated ahead is published at once and signs from its day on; the newest that has
begun signs; older ones stay published until their files are removed. Several on one day end in ``-1``, ``-2`` ….
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gateway.crypto.jwk import PrivateKey, SigningKey, VerificationKey, algorithms_of, export_jwk, thumbprint
from gateway.records.seal_key import SealSigner

_NAME: Final = re.compile(r"([a-z]+)-([0-9]{8})(?:-([1-9][0-9]?))?\.pem")
_MAX_PEM_BYTES: Final = 8192
LOOKUP_FILE: Final = "lookup.key"
LOOKUP_BYTES: Final = 32


class KeyDirectoryError(ValueError):
    """The start is refused; the text is one sentence for the operator."""


class KeyPurpose(StrEnum):
    """What a key signs; no key serves two purposes."""

    ANSWER = "answer"
    """Verified licences and review requests."""
    WEBHOOK = "webhook"
    """Standard Webhooks ``v1a``."""
    TOKEN = "token"  # noqa: S105 - a purpose
    """Access tokens."""
    CLIENT = "client"
    """``private_key_jwt`` at the identity provider."""
    SEAL = "seal"
    """Seals of the record."""


SCHEMES: Final[Mapping[KeyPurpose, str]] = {
    KeyPurpose.ANSWER: "ES256",
    KeyPurpose.WEBHOOK: "EdDSA",
    KeyPurpose.TOKEN: "ES256",
    KeyPurpose.CLIENT: "ES256",
    KeyPurpose.SEAL: "EdDSA",
}
"""JWS algorithm of each purpose."""


@dataclass(frozen=True, slots=True)
class DatedKey:
    """A key and the date in China from which it may sign."""

    key: SigningKey = field(repr=False)
    signs_from: date
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class KeyDirectory:
    """The keys of every purpose, newest first, and the secret of keyed digests (``lookup.key``)."""

    keys: Mapping[KeyPurpose, tuple[DatedKey, ...]]
    lookup_secret: bytes = field(repr=False)
    _public: Mapping[KeyPurpose, tuple[VerificationKey, ...]] = field(init=False, repr=False, compare=False)
    """Derived once: a token is verified with each request, and a key made anew costs as much again."""

    def __post_init__(self) -> None:
        public = {
            purpose: tuple(dated.key.public() for dated in dated_keys) for purpose, dated_keys in self.keys.items()
        }
        object.__setattr__(self, "_public", public)

    def signing(self, purpose: KeyPurpose, on: date) -> SigningKey:
        """The newest key that may sign on ``on``. Raises ``KeyDirectoryError`` when all are dated later."""
        for dated in self.keys[purpose]:
            if dated.signs_from <= on:
                return dated.key
        raise KeyDirectoryError(
            f"Every {purpose} key is dated later than today; add one named {purpose}-{on:%Y%m%d}.pem."
        )

    def verification(self, purpose: KeyPurpose) -> tuple[VerificationKey, ...]:
        """The public halves of all keys of ``purpose``, newest first."""
        return self._public[purpose]

    def all_verification(self) -> tuple[VerificationKey, ...]:
        """The public halves of all keys, in a stable order."""
        return tuple(key for purpose in KeyPurpose for key in self.verification(purpose))

    def seal_signer(self, on: date) -> SealSigner:
        """The signer of the record's seals. Raises as ``signing`` does."""
        key = self.signing(KeyPurpose.SEAL, on)
        return SealSigner(key.kid, _ed25519(key))

    def seal_keys(self) -> dict[str, Ed25519PublicKey]:
        """Public seal keys by ``key_id``: those that an audit checks seals with."""
        return {dated.key.kid: _ed25519(dated.key).public_key() for dated in self.keys[KeyPurpose.SEAL]}

    def jwks(self) -> dict[str, Any]:
        """All public keys as a JWK set (RFC 7517 §5), in a stable order."""
        return {"keys": [export_jwk(key) for key in self.all_verification()]}


def open_key_directory(directory: Path, *, generate: bool, on: date) -> KeyDirectory:
    """Read all keys; with ``generate``, make those of purposes that have none, dated ``on`` (a date in China).

    Raises ``KeyDirectoryError`` for a missing key, one that others can read, a file that is not the key its name says,
    or a directory that cannot be opened.
    """
    try:
        return _open(directory, generate, on)
    except OSError as error:
        raise KeyDirectoryError(
            f"The key directory {directory} cannot be used ({error.strerror}); give this user the rights to it."
        ) from None


def _open(directory: Path, generate: bool, on: date) -> KeyDirectory:
    if generate:
        _make_missing(directory, on)
    if not directory.is_dir():
        raise KeyDirectoryError(
            f"There is no key directory {directory}; make it with mode 0700 and put the keys there."
        )
    refuse_exposed(directory, "0700")
    found: dict[KeyPurpose, list[DatedKey]] = {purpose: [] for purpose in KeyPurpose}
    for path in sorted(directory.glob("*.pem")):
        purpose, signs_from, ordinal = _read_name(path)
        found[purpose].append(DatedKey(_read_key(path, purpose), signs_from, ordinal))
    for purpose, dated in found.items():
        if not dated:
            raise KeyDirectoryError(
                f"{directory} holds no {purpose} key; add {purpose}-{on:%Y%m%d}.pem, {_described(purpose)}."
            )
    return KeyDirectory(
        {purpose: _newest_first(dated) for purpose, dated in found.items()}, _read_lookup_secret(directory)
    )


def generate_key(purpose: KeyPurpose) -> PrivateKey:
    """A new key of the type that ``purpose`` takes."""
    return generate_private_key(SECP256R1()) if SCHEMES[purpose] == "ES256" else Ed25519PrivateKey.generate()


def write_key(directory: Path, purpose: KeyPurpose, on: date, key: PrivateKey) -> Path:
    """Write ``key`` as a new file, whole or not at all. ``FileExistsError`` when that name is taken."""
    path = directory / f"{purpose}-{on:%Y%m%d}.pem"
    write_once(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def write_once(path: Path, content: bytes) -> None:
    """Make ``path`` (0600) with ``content``, whole or not at all. ``FileExistsError`` when that name is taken."""
    draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # A link appears complete or not at all, and never replaces what another process has just put there.
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _make_missing(directory: Path, on: date) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for purpose in KeyPurpose:
        if not any(directory.glob(f"{purpose}-*.pem")):
            with suppress(FileExistsError):
                write_key(directory, purpose, on, generate_key(purpose))
    if not (directory / LOOKUP_FILE).exists():
        with suppress(FileExistsError):
            write_once(directory / LOOKUP_FILE, secrets.token_hex(32).encode())


def _read_lookup_secret(directory: Path) -> bytes:
    path = directory / LOOKUP_FILE
    if not path.is_file():
        raise KeyDirectoryError(f"{directory} holds no {LOOKUP_FILE}; put 64 random hexadecimal characters there.")
    refuse_exposed(path, "0600")
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        secret = b""
    if len(secret) != LOOKUP_BYTES:
        raise KeyDirectoryError(f"{path} must hold 64 hexadecimal characters; restore it from the backup.")
    return secret


def _read_name(path: Path) -> tuple[KeyPurpose, date, int]:
    match = _NAME.fullmatch(path.name)
    if match and match[1] in {purpose.value for purpose in KeyPurpose}:
        with suppress(ValueError):
            return KeyPurpose(match[1]), datetime.strptime(match[2], "%Y%m%d").date(), int(match[3] or 0)  # noqa: DTZ007 - a day in China
    names = ", ".join(KeyPurpose)
    raise KeyDirectoryError(f"{path} is not named as a key is; call it PURPOSE-YYYYMMDD.pem with one of {names}.")


def _read_key(path: Path, purpose: KeyPurpose) -> SigningKey:
    refuse_exposed(path, "0600")
    try:
        with path.open("rb") as stream:
            loaded = load_pem_private_key(stream.read(_MAX_PEM_BYTES), password=None)
        # Of the types that PEM can hold only some sign; which one it is the next line asks.
        fits = SCHEMES[purpose] in algorithms_of(loaded.public_key())  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyDirectoryError(f"{path} cannot be read as an unencrypted PKCS #8 PEM key; replace it.") from None
    if not fits:
        raise KeyDirectoryError(f"{path} is not {_described(purpose)}; replace it by one.")
    key: PrivateKey = loaded  # type: ignore[assignment]  # its scheme says so
    return SigningKey(f"{path.stem}-{thumbprint(key.public_key())[:8]}", SCHEMES[purpose], key)


def refuse_exposed(path: Path, mode: str) -> None:
    """Raises ``KeyDirectoryError`` where others than its owner can open it; ``mode`` is what it should have."""
    status = path.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeyDirectoryError(f"Others than its owner can open {path}; run: chmod {mode} {path}")


def _newest_first(dated: Sequence[DatedKey]) -> tuple[DatedKey, ...]:
    return tuple(sorted(dated, key=lambda one: (one.signs_from, one.ordinal), reverse=True))


def _described(purpose: KeyPurpose) -> str:
    return "a P-256 key" if SCHEMES[purpose] == "ES256" else "an Ed25519 key"


def _ed25519(key: SigningKey) -> Ed25519PrivateKey:
    if not isinstance(key.private_key, Ed25519PrivateKey):
        raise TypeError("seals are signed with Ed25519")
    return key.private_key
