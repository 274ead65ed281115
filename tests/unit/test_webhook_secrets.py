"""A secret is what its file holds now, however often it was read before."""

import base64
import os
import time
from pathlib import Path

import pytest

from gateway.bootstrap.webhook_secrets import secrets_in
from gateway.settings import SettingsError

LONG_AGO = time.time() - 3600


def written(path: Path, *secrets: bytes, at: float | None = LONG_AGO) -> None:
    text = "".join(f"whsec_{base64.b64encode(secret).decode()}\n" for secret in secrets)
    path.touch(0o600)
    path.write_text(text, "utf-8")
    if at is not None:
        os.utime(path, (at, at))


def test_a_change_of_the_file_is_seen_at_the_next_use(tmp_path: Path) -> None:
    path, secrets_of = tmp_path / "one", secrets_in(tmp_path)
    old, new = b"o" * 32, b"n" * 32
    written(path, old)
    assert [secrets_of("one") for _ in range(3)] == [(old,)] * 3
    written(path, new, old)
    assert secrets_of("one") == (new, old)
    written(path, new)
    assert secrets_of("one") == (new,)
    path.unlink()
    assert secrets_of("one") == ()


def test_a_file_that_was_changed_just_now_is_read_again_each_time(tmp_path: Path) -> None:
    path, secrets_of = tmp_path / "one", secrets_in(tmp_path)
    for number in range(200):
        secret = number.to_bytes(32)
        written(path, secret, at=None)
        assert secrets_of("one") == (secret,)


def test_an_unchanged_file_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.bootstrap import webhook_secrets

    path = tmp_path / "one"
    written(path, b"o" * 32)
    monkeypatch.setattr(webhook_secrets, "SETTLED_AFTER_S", -1.0)
    secrets_of = secrets_in(tmp_path)
    assert secrets_of("one") == (b"o" * 32,)
    monkeypatch.setattr(webhook_secrets, "read_secret_lines", lambda *_: pytest.fail("it was read"))
    assert secrets_of("one") == (b"o" * 32,)


def test_what_others_can_open_now_is_refused(tmp_path: Path) -> None:
    path, secrets_of = tmp_path / "one", secrets_in(tmp_path)
    written(path, b"o" * 32)
    secrets_of("one")
    path.chmod(0o644)
    with pytest.raises(SettingsError):
        secrets_of("one")


def test_no_name_leads_out_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    written(tmp_path / "outside", b"o" * 32)
    assert secrets_in(tmp_path / "inside")("../outside") == ()
