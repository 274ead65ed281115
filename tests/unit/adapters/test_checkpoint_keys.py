"""Keys of checkpoints: the seal key under its origin, and SM2 keys out of files."""

import base64
from pathlib import Path

import pytest

from adapters.checkpoint_keys import CheckpointKeys
from adapters.key_directory import KeyDirectoryError, KeyPurpose, generate_key, open_key_directory, write_key
from adapters.live_keys import LiveKeys
from gateway.clock import date_in_china
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.records.checkpoints import Checkpoint, sign_checkpoint
from gateway.records.notes import SM2_TYPE, parse_note, parse_vkey, proved_by
from tests.support.anchoring import ORIGIN
from tests.support.storage import NOON, SetClock

CHECKPOINT = Checkpoint(ORIGIN, 1, bytes(32))
TODAY = date_in_china(NOON)


@pytest.fixture
def keys(tmp_path: Path) -> LiveKeys:
    directory = tmp_path / "keys"
    return LiveKeys(directory, open_key_directory(directory, generate=True, on=TODAY), SetClock())


def sm2_file(path: Path) -> Path:
    try:
        der = sm2.library().generate_private_key().to_der()
    except AlgorithmUnavailable:
        pytest.skip("no library here speaks SM2")
    body = base64.encodebytes(der).decode()
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n")
    path.chmod(0o600)
    return path


def test_the_seal_key_signs_and_every_one_is_published(keys: LiveKeys, tmp_path: Path) -> None:
    write_key(tmp_path / "keys", KeyPurpose.SEAL, TODAY.replace(year=TODAY.year + 1), generate_key(KeyPurpose.SEAL))
    assert keys.reread()
    (signer,) = CheckpointKeys(keys, ORIGIN).signers()
    published = CheckpointKeys(keys, ORIGIN).published()
    assert (len(published), published[1]) == (2, signer.key)
    assert all(parse_vkey(str(key)) == key for key in published)


def test_sm2_signs_beside_it_with_the_first_key_and_all_are_published(keys: LiveKeys, tmp_path: Path) -> None:
    files = [sm2_file(tmp_path / name) for name in ("new.pem", "old.pem")]
    own = CheckpointKeys(keys, ORIGIN, files)
    note = parse_note(str(sign_checkpoint(CHECKPOINT, own.signers())).encode())
    ed25519, new, old = own.published()
    assert (new.type, old.type) == (SM2_TYPE, SM2_TYPE)
    assert proved_by(note, [ed25519, new, old]) == (ed25519, new)


@pytest.mark.parametrize(
    "content", ["", "x", "-----BEGIN EC PRIVATE KEY-----\n!!\n-----END EC PRIVATE KEY-----\n", "\xff"]
)
def test_what_is_no_sm2_key_refuses_the_start(keys: LiveKeys, tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.pem"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyDirectoryError, match=r"not an unencrypted SM2 key|no library"):
        CheckpointKeys(keys, ORIGIN, [path])


def test_a_key_that_others_can_read_refuses_the_start(keys: LiveKeys, tmp_path: Path) -> None:
    path = sm2_file(tmp_path / "key.pem")
    path.chmod(0o644)
    with pytest.raises(KeyDirectoryError, match="chmod 0600"):
        CheckpointKeys(keys, ORIGIN, [path])


def test_a_key_of_another_curve_is_none(keys: LiveKeys, tmp_path: Path) -> None:
    (other,) = (tmp_path / "keys").glob("answer-*.pem")
    with pytest.raises(KeyDirectoryError, match=r"not an unencrypted SM2 key|no library"):
        CheckpointKeys(keys, ORIGIN, [other])
