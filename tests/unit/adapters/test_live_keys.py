"""Keys change while the process runs: by the day, and by what the directory holds."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.key_directory import KeyPurpose, generate_key, open_key_directory, write_key
from adapters.live_keys import LiveKeys, LiveTokenKeys
from tests.support.storage import NOON, SetClock
from tests.support.waiting import eventually

TODAY = date(2026, 3, 2)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def keys(directory: Path, clock: SetClock) -> LiveKeys:
    return LiveKeys(directory, open_key_directory(directory, generate=True, on=TODAY), clock)


def add(directory: Path, on: date, purpose: KeyPurpose = KeyPurpose.TOKEN) -> Path:
    return write_key(directory, purpose, on, generate_key(purpose))


def test_a_key_dated_ahead_is_published_at_once_and_signs_from_its_day_in_china(
    keys: LiveKeys, directory: Path, clock: SetClock
) -> None:
    sign, published = keys.signer(KeyPurpose.TOKEN), len(keys.published())
    first = sign().kid
    add(directory, date(2026, 3, 3))
    assert keys.reread()
    assert len(keys.published()) == published + 1
    assert sign().kid == first
    clock.at = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)
    assert sign().kid == first
    clock.at = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    assert sign().kid.startswith("token-20260303-")
    assert first in {key.kid for key in LiveTokenKeys(keys).accepted}


def test_a_key_whose_file_is_gone_verifies_nothing_any_more(keys: LiveKeys, directory: Path, clock: SetClock) -> None:
    old = keys.signing(KeyPurpose.TOKEN).kid
    (old_file,) = directory.glob("token-*.pem")
    add(directory, date(2026, 3, 3))
    clock.advance(days=1)
    old_file.unlink()
    assert keys.reread()
    assert old not in {key.kid for key in keys.published()}


def test_what_cannot_be_used_leaves_the_keys_in_use(keys: LiveKeys, directory: Path) -> None:
    before = keys.published()
    add(directory, date(2026, 3, 3)).chmod(0o644)
    assert not keys.reread()
    assert keys.published() == before
    for unfit in directory.glob("token-20260303*"):
        unfit.unlink()
    (directory / "token-20260302.pem").unlink()
    assert not keys.reread(), "no token key is left"
    assert keys.published() == before


def test_the_secret_of_look_ups_never_changes(keys: LiveKeys, directory: Path) -> None:
    before = keys.lookup_secret
    (directory / "lookup.key").write_text("00" * 32)
    assert not keys.reread()
    assert keys.lookup_secret == before


async def test_the_directory_is_read_again_by_itself_until_stopped(keys: LiveKeys, directory: Path) -> None:
    stop, published = asyncio.Event(), len(keys.published())
    running = asyncio.create_task(keys.run(stop, timedelta(milliseconds=10)))
    add(directory, date(2026, 3, 3))
    await asyncio.to_thread(eventually, lambda: len(keys.published()) > published)
    stop.set()
    await running
