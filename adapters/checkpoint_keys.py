"""What signs checkpoints: the seal key as an Ed25519 note key, and where they are set, SM2 keys out of files."""

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.key_directory import KeyDirectoryError, KeyPurpose, refuse_exposed
from adapters.live_keys import LiveKeys
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit
from gateway.records.checkpoints import NoteSigner
from gateway.records.notes import ED25519_TYPE, SM2_TYPE, VerifierKey

_MAX_PEM_BYTES: Final = 8192
_PEM_LABELS: Final = ("PRIVATE KEY", "EC PRIVATE KEY")


class CheckpointKeys:
    """The keys of one record. Raises ``KeyDirectoryError`` for an SM2 file that cannot be used.

    Checkpoints are signed by the key that the process seals with, chosen at start, under another form: a seal is JSON,
    a note begins with the origin, so neither can pass for the other.
    """

    def __init__(self, keys: LiveKeys, origin: str, sm2_files: Sequence[Path] = ()) -> None:
        self._keys = keys
        self._origin = origin
        self._sm2 = tuple(_sm2_signer(path, origin) for path in sm2_files)

    def signers(self) -> tuple[NoteSigner, ...]:
        """Ed25519, then the first SM2 key where there is one."""
        key = self._keys.signing(KeyPurpose.SEAL).private_key
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("seals are signed with Ed25519")
        return NoteSigner(self._verifier(key.public_key()), key.sign), *self._sm2[:1]

    def published(self) -> tuple[VerifierKey, ...]:
        """Every key, the newest first, Ed25519 before SM2."""
        ed25519 = [key.public_key for key in self._keys.verification(KeyPurpose.SEAL)]
        own = [self._verifier(key) for key in ed25519 if isinstance(key, Ed25519PublicKey)]
        return (*own, *(signer.key for signer in self._sm2))

    def _verifier(self, key: Ed25519PublicKey) -> VerifierKey:
        return VerifierKey(self._origin, ED25519_TYPE, key.public_bytes_raw())


def _sm2_signer(path: Path, origin: str) -> NoteSigner:
    refuse_exposed(path, "0600")
    try:
        with path.open("rb") as stream:
            private = sm2.library().private_key(_der(stream.read(_MAX_PEM_BYTES)))
        point = sm2.point_of(private.public_key.spki)
    except AlgorithmUnavailable:
        raise KeyDirectoryError(
            f"{path} signs with SM2, and no library here speaks it; set BANDIAN_SM2_LIBRARY, or sign without."
        ) from None
    except (KeyUnfit, ValueError):
        raise KeyDirectoryError(f"{path} is not an unencrypted SM2 key in PEM; replace it by one.") from None
    return NoteSigner(
        VerifierKey(origin, SM2_TYPE, point or b""), lambda text: sm2.signature_to_raw(private.sign(text))
    )


def _der(pem: bytes) -> bytes:
    """The one key block of a PEM file (RFC 7468); parameters may stand before it, as openssl writes them."""
    text = pem.decode("ascii")
    for label in _PEM_LABELS:
        _, begun, rest = text.partition(f"-----BEGIN {label}-----\n")
        body, ended, _ = rest.partition(f"-----END {label}-----")
        if begun and ended:
            try:
                return base64.b64decode("".join(body.split()), validate=True)
            except binascii.Error:
                break
    raise ValueError("no key in PEM")
