"""The gateway's own keys: made once, kept to their owner, rotated without downtime."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from adapters.key_directory import (
    SCHEMES,
    KeyDirectoryError,
    KeyPurpose,
    generate_key,
    open_key_directory,
    write_key,
)
from gateway.crypto.jwk import parse_jwk

TODAY = date(2026, 3, 2)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    open_key_directory(path, generate=True, on=TODAY)
    return path


def test_missing_keys_are_made_for_their_owner_alone(directory: Path) -> None:
    expected = [*(f"{purpose}-20260302.pem" for purpose in KeyPurpose), "lookup.key"]
    assert sorted(path.name for path in directory.iterdir()) == sorted(expected)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_a_second_start_finds_the_same_keys(directory: Path) -> None:
    first = open_key_directory(directory, generate=True, on=TODAY)
    later = open_key_directory(directory, generate=True, on=date(2027, 1, 1))
    assert first.jwks() == later.jwks()


def test_starts_at_the_same_time_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: open_key_directory(tmp_path / "k", generate=True, on=TODAY).jwks(), range(8)))
    assert all(one == made[0] for one in made)
    assert len(list((tmp_path / "k").glob("*.pem"))) == len(KeyPurpose)


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_each_purpose_signs_by_its_algorithm(directory: Path, purpose: KeyPurpose) -> None:
    keys = open_key_directory(directory, generate=False, on=TODAY)
    assert keys.signing(purpose, TODAY).scheme == SCHEMES[purpose]
    assert keys.signing(purpose, TODAY).public() in keys.verification(purpose)


def test_the_jwk_set_is_public_and_names_every_key_once(directory: Path) -> None:
    published = open_key_directory(directory, generate=False, on=TODAY).jwks()["keys"]
    parsed = [parse_jwk(jwk) for jwk in published]
    assert len({key.kid for key in parsed}) == len(KeyPurpose)
    assert not any("d" in jwk for jwk in published)


def test_a_key_dated_ahead_is_published_now_and_signs_from_its_day(directory: Path) -> None:
    write_key(directory, KeyPurpose.ANSWER, date(2026, 4, 1), generate_key(KeyPurpose.ANSWER))
    keys = open_key_directory(directory, generate=False, on=TODAY)
    assert len(keys.verification(KeyPurpose.ANSWER)) == 2
    assert keys.signing(KeyPurpose.ANSWER, date(2026, 3, 31)).kid.startswith("answer-20260302-")
    assert keys.signing(KeyPurpose.ANSWER, date(2026, 4, 1)).kid.startswith("answer-20260401-")


def test_two_keys_of_a_day_are_ordered_by_their_number(directory: Path) -> None:
    for number in (2, 10):
        drafted = write_key(directory, KeyPurpose.TOKEN, date(2026, 1, 1), generate_key(KeyPurpose.TOKEN))
        drafted.rename(directory / f"token-20260302-{number}.pem")
    keys = open_key_directory(directory, generate=False, on=TODAY)
    assert keys.signing(KeyPurpose.TOKEN, TODAY).kid.startswith("token-20260302-10-")


def test_an_old_seal_key_still_proves_old_seals(directory: Path) -> None:
    old = open_key_directory(directory, generate=False, on=TODAY).seal_signer(TODAY)
    write_key(directory, KeyPurpose.SEAL, date(2026, 3, 3), generate_key(KeyPurpose.SEAL))
    keys = open_key_directory(directory, generate=False, on=date(2026, 3, 3))
    assert keys.seal_signer(date(2026, 3, 3)).key_id != old.key_id
    keys.seal_keys()[old.key_id].verify(old.sign(b"head"), b"head")


def test_only_keys_of_the_future_is_refused(directory: Path) -> None:
    keys = open_key_directory(directory, generate=False, on=TODAY)
    with pytest.raises(KeyDirectoryError, match="dated later than today"):
        keys.signing(KeyPurpose.ANSWER, date(2026, 3, 1))


def test_nothing_is_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(KeyDirectoryError, match="no key directory"):
        open_key_directory(tmp_path / "none", generate=False, on=TODAY)
    assert not (tmp_path / "none").exists()


def test_a_purpose_without_a_key_is_named(directory: Path) -> None:
    (directory / "webhook-20260302.pem").unlink()
    with pytest.raises(KeyDirectoryError, match=r"webhook-20260302\.pem, an Ed25519 key"):
        open_key_directory(directory, generate=False, on=TODAY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_open_is_refused(directory: Path, mode: int) -> None:
    os.chmod(directory / "token-20260302.pem", mode)
    with pytest.raises(KeyDirectoryError, match=r"chmod 0600 .*token-20260302\.pem"):
        open_key_directory(directory, generate=False, on=TODAY)


def test_a_directory_that_others_can_open_is_refused(directory: Path) -> None:
    os.chmod(directory, 0o755)
    with pytest.raises(KeyDirectoryError, match="chmod 0700"):
        open_key_directory(directory, generate=False, on=TODAY)


@pytest.mark.parametrize("name", ["answers-20260101.pem", "answer-2026.pem", "answer-20261301.pem", "token.pem"])
def test_a_misnamed_key_is_refused_and_not_overlooked(directory: Path, name: str) -> None:
    (directory / "answer-20260302.pem").rename(directory / name)
    with pytest.raises(KeyDirectoryError, match="is not named as a key is"):
        open_key_directory(directory, generate=False, on=TODAY)


def test_a_key_of_another_type_is_refused(directory: Path) -> None:
    (directory / "seal-20260302.pem").write_bytes((directory / "token-20260302.pem").read_bytes())
    with pytest.raises(KeyDirectoryError, match=r"seal-20260302\.pem is not an? Ed25519 key"):
        open_key_directory(directory, generate=False, on=TODAY)


def test_another_curve_is_refused(directory: Path) -> None:
    (directory / "token-20260302.pem").unlink()
    write_key(directory, KeyPurpose.TOKEN, TODAY, generate_private_key(SECP384R1()))
    with pytest.raises(KeyDirectoryError, match="is not a P-256 key"):
        open_key_directory(directory, generate=False, on=TODAY)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(directory: Path, content: bytes) -> None:
    (directory / "seal-20260302.pem").write_bytes(content)
    with pytest.raises(KeyDirectoryError, match="cannot be read"):
        open_key_directory(directory, generate=False, on=TODAY)


def test_an_encrypted_key_is_refused(directory: Path) -> None:
    pem = generate_key(KeyPurpose.SEAL).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"phrase")
    )
    (directory / "seal-20260302.pem").write_bytes(pem)
    with pytest.raises(KeyDirectoryError, match="unencrypted"):
        open_key_directory(directory, generate=False, on=TODAY)


def test_no_repr_shows_a_private_key(directory: Path) -> None:
    assert "private" not in repr(open_key_directory(directory, generate=False, on=TODAY))
