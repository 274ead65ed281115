"""Data keys on disk: wrapped, dated, read again while the process runs; and where the wrapping key comes from."""

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from adapters import data_keys as room
from adapters.data_keys import LiveDataKeys, add_data_key, open_data_keys, read_data_keys, wrap_anew
from adapters.key_directory import KeyDirectoryError
from adapters.key_providers import open_provider, schemes
from gateway.crypto.aead import Algorithm
from gateway.crypto.sealing import KeyProvider, KeyProviderError, Sealer
from tests.support.storage import NOON, SetClock

TODAY = date(2026, 3, 2)
HEX = "ab" * 32


def provider_of(setting: str, *, generate: bool = False, **variables: str) -> KeyProvider:
    return open_provider(setting, variables.get, Algorithm.AES_256_GCM, generate=generate)


@pytest.fixture
def provider() -> KeyProvider:
    return provider_of("env:KEY", KEY=HEX)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "at-rest"


@pytest.fixture
def live(directory: Path, provider: KeyProvider, monkeypatch: pytest.MonkeyPatch) -> LiveDataKeys:
    monkeypatch.setattr(room, "LOOK_AGAIN_AFTER", 0.0)
    found = open_data_keys(directory, provider, generate=True, on=TODAY)
    return LiveDataKeys(directory, provider, found, SetClock(NOON))


class TestProviders:
    def test_they_are_found_by_their_scheme(self) -> None:
        assert set(schemes()) == {"file", "env"}

    @pytest.mark.parametrize("setting", ["", "file", "file:", "kms:key-1", "/etc/key"])
    def test_a_setting_that_names_none_is_refused_with_those_there_are(self, setting: str) -> None:
        with pytest.raises(KeyProviderError, match=r"env:…, file:…|file:…, env:…"):
            provider_of(setting)

    def test_what_it_wraps_it_unwraps_in_its_own_context_alone(self, provider: KeyProvider) -> None:
        wrapped = provider.wrap(b"d" * 32, "data key 1")
        assert b"d" * 8 not in wrapped
        assert provider.unwrap(wrapped, "data key 1") == b"d" * 32
        with pytest.raises(Exception, match=r"at_rest\.tampered"):
            provider.unwrap(wrapped, "data key 2")

    def test_a_file_is_generated_where_that_is_allowed_and_is_its_owners_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "made" / "master.key"
        with pytest.raises(KeyProviderError, match="bandian keys init"):
            provider_of(f"file:{path}")
        made = provider_of(f"file:{path}", generate=True)
        assert path.stat().st_mode & 0o777 == 0o600
        content = path.read_text()
        assert provider_of(f"file:{path}", generate=True).unwrap(made.wrap(b"d" * 32, ""), "") == b"d" * 32
        assert path.read_text() == content

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda path: path.chmod(0o640), "chmod 0600"),
            (lambda path: path.write_text("hunter2"), "64 hexadecimal characters"),
            (lambda path: path.write_text(f"{HEX}\n{HEX}\n{HEX}\n"), "one key, or the new and the old one"),
            (lambda path: path.write_text(""), "64 hexadecimal characters"),
            (lambda path: path.write_bytes(b"\xff\xfe"), "cannot be read"),
            (lambda path: path.unlink(), "There is no wrapping key"),
        ],
        ids=["open to others", "no key", "three", "empty", "not text", "gone"],
    )
    def test_a_file_that_is_unfit_is_told_in_one_sentence(
        self, tmp_path: Path, spoil: Callable[[Path], None], words: str
    ) -> None:
        path = tmp_path / "master.key"
        provider_of(f"file:{path}", generate=True)
        spoil(path)
        with pytest.raises(KeyProviderError) as caught:
            provider_of(f"file:{path}")
        assert words in str(caught.value)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("variables", [{}, {"KEY": ""}, {"KEY": "hunter2"}, {"KEY": HEX[:-2]}])
    def test_a_variable_is_never_generated(self, variables: dict[str, str]) -> None:
        with pytest.raises(KeyProviderError, match="KEY") as caught:
            provider_of("env:KEY", generate=True, **variables)
        assert "hunter2" not in str(caught.value)

    def test_the_new_and_the_old_wrapping_key_are_at_hand_while_it_is_changed(self) -> None:
        old, both = provider_of("env:KEY", KEY=HEX), provider_of("env:KEY", KEY=f"{'cd' * 32}, {HEX}")
        new = provider_of("env:KEY", KEY="cd" * 32)
        wrapped = old.wrap(b"d" * 32, "c")
        assert both.unwrap(wrapped, "c") == b"d" * 32
        assert new.unwrap(both.wrap(b"d" * 32, "c"), "c") == b"d" * 32
        with pytest.raises(Exception, match=r"at_rest\.key_unknown"):
            new.unwrap(wrapped, "c")


class TestFiles:
    def test_the_first_is_made_where_that_is_allowed(self, directory: Path, provider: KeyProvider) -> None:
        with pytest.raises(KeyDirectoryError, match="bandian keys init"):
            open_data_keys(directory, provider, generate=False, on=TODAY)
        (made,) = open_data_keys(directory, provider, generate=True, on=TODAY)
        assert [path.name for path in directory.iterdir()] == ["data-20260302.key"]
        assert directory.stat().st_mode & 0o777 == 0o700
        assert made.path.stat().st_mode & 0o777 == 0o600
        assert made.key.material.hex() not in made.path.read_text()
        assert open_data_keys(directory, provider, generate=True, on=TODAY) == (made,)

    def test_several_of_a_day_are_in_the_order_they_were_added(self, directory: Path, provider: KeyProvider) -> None:
        added = [add_data_key(directory, provider, TODAY) for _ in range(12)]
        ahead = add_data_key(directory, provider, TODAY + timedelta(days=1))
        assert read_data_keys(directory, provider) == (ahead, *reversed(added))

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda path: path.chmod(0o644), "chmod 0600"),
            (lambda path: path.write_text("{"), "not a data key"),
            (lambda path: path.write_text('{"key_id": 1}'), "not a data key"),
            (lambda path: path.rename(path.with_name("data-20260230.key")), "not a data key"),
            (lambda path: path.with_name("data-20260301.key").write_bytes(path.read_bytes()), "keys of one name"),
            (lambda path: path.parent.chmod(0o755), "chmod 0700"),
            (lambda path: path.unlink(), "no data key for today"),
            (lambda path: path.rename(path.with_name("data-20260303.key")), "no data key for today"),
        ],
        ids=["open to others", "damaged", "incomplete", "no such day", "copied", "open directory", "gone", "ahead"],
    )
    def test_what_is_unfit_is_told_in_one_sentence(
        self, directory: Path, provider: KeyProvider, spoil: Callable[[Path], None], words: str
    ) -> None:
        (made,) = open_data_keys(directory, provider, generate=True, on=TODAY)
        spoil(made.path)
        for path in directory.glob("*.key"):
            if words != "chmod 0600":
                path.chmod(0o600)
        with pytest.raises(KeyDirectoryError, match=words):
            open_data_keys(directory, provider, generate=False, on=TODAY)

    def test_a_key_that_another_one_wrapped_is_told_from_a_damaged_file(
        self, directory: Path, provider: KeyProvider
    ) -> None:
        (made,) = open_data_keys(directory, provider, generate=True, on=TODAY)
        with pytest.raises(KeyDirectoryError, match="BANDIAN_AT_REST_KEYS"):
            read_data_keys(directory, provider_of("env:KEY", KEY="cd" * 32))
        stored = json.loads(made.path.read_text())
        wrapped = base64.b64decode(stored["wrapped"])
        made.path.write_text(
            json.dumps({**stored, "wrapped": base64.b64encode(wrapped[:-1] + bytes([wrapped[-1] ^ 1])).decode()})
        )
        with pytest.raises(KeyDirectoryError, match="was damaged"):
            read_data_keys(directory, provider)

    def test_a_name_that_is_not_its_own_is_noticed(self, directory: Path, provider: KeyProvider) -> None:
        """A key's name is bound to it: rows that name one key are never opened with another."""
        (made,) = open_data_keys(directory, provider, generate=True, on=TODAY)
        made.path.write_text(made.path.read_text().replace(made.key.key_id, "00000000"))
        with pytest.raises(KeyDirectoryError, match="was damaged"):
            read_data_keys(directory, provider)

    def test_wrapped_anew_it_is_the_same_key(self, directory: Path, provider: KeyProvider) -> None:
        (made,) = open_data_keys(directory, provider, generate=True, on=TODAY)
        changing = provider_of("env:KEY", KEY=f"{'cd' * 32},{HEX}")
        wrap_anew(made, changing)
        assert read_data_keys(directory, provider_of("env:KEY", KEY="cd" * 32)) == (made,)
        assert [path.name for path in directory.iterdir()] == [made.path.name]
        assert made.path.stat().st_mode & 0o777 == 0o600


class TestLive:
    def test_a_key_seals_from_its_day_in_china(
        self, live: LiveDataKeys, directory: Path, provider: KeyProvider
    ) -> None:
        first, clock = live.current(), live._clock
        assert isinstance(clock, SetClock)
        ahead = add_data_key(directory, provider, date(2026, 3, 3)).key
        assert live.reread()
        assert live.current() == first
        assert live.find(ahead.key_id) == ahead, "it opens at once: another machine may be ahead"
        clock.at = datetime.fromisoformat("2026-03-02T15:59:59+00:00")
        assert live.current() == first
        clock.advance(seconds=1)
        assert live.current() == ahead
        assert live.find(first.key_id) == first
        clock.advance(seconds=-1)
        assert live.current() == first, "the clock was set back"

    def test_a_key_of_today_seals_as_soon_as_it_is_read(
        self, live: LiveDataKeys, directory: Path, provider: KeyProvider
    ) -> None:
        before, added = live.current(), add_data_key(directory, provider, TODAY).key
        assert live.current() == before
        assert live.reread()
        assert live.current() == added

    def test_one_that_another_process_added_is_found_when_it_is_first_met(
        self, live: LiveDataKeys, directory: Path, provider: KeyProvider
    ) -> None:
        added = add_data_key(directory, provider, TODAY).key
        sealed = Sealer(LiveDataKeys(directory, provider, read_data_keys(directory, provider), SetClock(NOON))).seal(
            b"x", "c"
        )
        assert Sealer(live).open(sealed, "c") == b"x"
        assert live.current() == added

    def test_a_key_that_nobody_has_does_not_send_every_read_to_the_disk(
        self, live: LiveDataKeys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(room, "LOOK_AGAIN_AFTER", 3600.0)
        looked: list[bool] = []
        monkeypatch.setattr(live, "reread", lambda: looked.append(True))
        for _ in range(100):
            assert live.find("ffffffff") is None
        assert len(looked) == 1

    def test_what_cannot_be_used_leaves_the_keys_in_use(self, live: LiveDataKeys, directory: Path) -> None:
        before = live.current()
        (path,) = directory.glob("*.key")
        for spoil in (lambda: path.chmod(0o644), lambda: path.write_text("{"), path.unlink):
            spoil()
            assert not live.reread()
            assert live.current() == before
            assert live.find(before.key_id) == before

    def test_the_provider_is_asked_for_new_keys_alone(self, directory: Path, provider: KeyProvider) -> None:
        """A KMS is not asked again every minute."""
        counted = Counting(provider)
        found = open_data_keys(directory, counted, generate=True, on=TODAY)
        live = LiveDataKeys(directory, counted, found, SetClock(NOON))
        for _ in range(5):
            assert live.reread()
        assert counted.unwrapped == 1
        add_data_key(directory, counted, TODAY)
        assert live.reread()
        assert counted.unwrapped == 2

    def test_a_clock_that_is_set_back_stops_nothing(
        self, live: LiveDataKeys, directory: Path, provider: KeyProvider
    ) -> None:
        first, clock = live.current(), live._clock
        assert isinstance(clock, SetClock)
        add_data_key(directory, provider, date(2026, 3, 3))
        clock.advance(days=-9)
        assert live.reread()
        assert live.current() == first


class Counting:
    def __init__(self, inner: KeyProvider) -> None:
        self._inner = inner
        self.unwrapped = 0

    def wrap(self, key: bytes, context: str) -> bytes:
        return self._inner.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        self.unwrapped += 1
        return self._inner.unwrap(wrapped, context)
