"""Data-encryption keys of what rests in the database: files ``data-{YYYYMMDD}.key``, each wrapped by the key provider.

They lie in ``at-rest/`` of the key directory, 0600 in 0700. The newest whose day (in China) has come seals; every one
that is there opens. Without the provider's own key a file shows nothing, so it may be copied wherever the gateway runs:
one dated ahead reaches every machine before any of them seals with it. Several of one day end in ``-1``, ``-2`` ….
"""

import base64
import json
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from adapters.key_directory import KeyDirectoryError, refuse_exposed, write_once
from gateway.clock import Clock, date_in_china, start_of_day_in_china
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.crypto.sealing import KEY_BYTES, KEY_ID_BYTES, DataKey, KeyProvider, KeyProviderError, StoredDataUnreadable
from gateway.errors import GatewayError

_NAME: Final = re.compile(r"data-([0-9]{8})(?:-([1-9][0-9]?))?\.key")
_MOST_A_DAY: Final = 99
LOOK_AGAIN_AFTER: Final = 5.0
"""Seconds: values that name keys nobody has must not make every read look at the disk."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DatedDataKey:
    """A data key, the date in China from which it seals, and its file."""

    key: DataKey
    seals_from: date
    ordinal: int
    path: Path


def open_data_keys(directory: Path, provider: KeyProvider, *, generate: bool, on: date) -> tuple[DatedDataKey, ...]:
    """All of them, newest first; with ``generate``, one dated ``on`` is made where there is none.

    Raises ``KeyDirectoryError`` where there is none that seals on ``on``, or one that cannot be read or unwrapped;
    ``KeyProviderError``.
    """
    try:
        if generate and not any(directory.glob("data-*.key")):
            with suppress(FileExistsError):  # another process was quicker
                _write(directory, provider, on, 0)
        found = read_data_keys(directory, provider)
    except OSError as error:
        raise KeyDirectoryError(
            f"The data keys in {directory} cannot be used ({error.strerror}); give this user the rights to them."
        ) from None
    if not any(dated.seals_from <= on for dated in found):
        raise KeyDirectoryError(
            f"{directory} holds no data key for today; restore them, or for a new database run: bandian keys init"
        )
    return found


def read_data_keys(
    directory: Path, provider: KeyProvider, known: tuple[DatedDataKey, ...] = ()
) -> tuple[DatedDataKey, ...]:
    """What the directory holds, newest first; the provider is asked only for those that are not ``known``.

    Raises ``KeyDirectoryError``, ``KeyProviderError``, ``OSError``.
    """
    if not directory.is_dir():
        return ()
    refuse_exposed(directory, "0700")
    unwrapped = {each.path.name: each.key for each in known}
    found = [_read(path, provider, unwrapped) for path in sorted(directory.glob("*.key")) if _NAME.fullmatch(path.name)]
    if len({each.key.key_id for each in found}) != len(found):
        raise KeyDirectoryError(f"Two files in {directory} hold keys of one name; remove the one that was copied.")
    return tuple(sorted(found, key=lambda each: (each.seals_from, each.ordinal), reverse=True))


def add_data_key(directory: Path, provider: KeyProvider, on: date) -> DatedDataKey:
    """Make one that seals from ``on`` (a date in China), after those of that day. Raises as ``open_data_keys``."""
    for ordinal in range(_MOST_A_DAY + 1):
        if not _path(directory, on, ordinal).exists():
            with suppress(FileExistsError):
                return _write(directory, provider, on, ordinal)
    raise KeyDirectoryError(f"{directory} has {_MOST_A_DAY + 1} keys of {on:%Y%m%d}; choose another day.")


def wrap_anew(dated: DatedDataKey, provider: KeyProvider) -> None:
    """Write the key's file again, wrapped by the provider's present key; whole or not at all."""
    draft = dated.path.with_name(f".{dated.path.name}.{secrets.token_hex(8)}")
    write_once(draft, _document(dated.key, provider))
    os.replace(draft, dated.path)


class LiveDataKeys:
    """``gateway.crypto.sealing.DataKeys`` over the directory as it is now; ``first`` is not empty."""

    def __init__(self, directory: Path, provider: KeyProvider, first: tuple[DatedDataKey, ...], clock: Clock) -> None:
        self._directory = directory
        self._provider = provider
        self._clock = clock
        self._dated = first
        self._by_id = {each.key.key_id: each.key for each in first}
        self._looked_at = float("-inf")
        self._today: tuple[tuple[DatedDataKey, ...], datetime, datetime, DataKey] | None = None
        """Of which keys, from when and until when, this one is the current."""

    @property
    def dated(self) -> tuple[DatedDataKey, ...]:
        """All of them, newest first."""
        return self._dated

    def current(self) -> DataKey:
        """The newest whose day has come; the oldest while a clock that was set back says that none has."""
        at, dated, today = self._clock(), self._dated, self._today
        if today is not None and today[0] is dated and today[1] <= at < today[2]:
            return today[3]
        on = date_in_china(at)
        key = next((each.key for each in dated if each.seals_from <= on), dated[-1].key)
        begins = start_of_day_in_china(on).astimezone(UTC)  # the clock's zone: instants of two are slow to compare
        self._today = (dated, begins, begins + timedelta(days=1), key)
        return key

    def find(self, key_id: str) -> DataKey | None:
        """The key of that id; one that is not known is looked for in the directory, every few seconds at most."""
        key = self._by_id.get(key_id)
        if key is None and time.monotonic() - self._looked_at >= LOOK_AGAIN_AFTER:
            self._looked_at = time.monotonic()
            self.reread()
            key = self._by_id.get(key_id)
        return key

    def reread(self) -> bool:
        """Take what the directory holds now; False where it cannot be used, and nothing changed."""
        try:
            read = read_data_keys(self._directory, self._provider, self._dated)
            if not read:
                raise KeyDirectoryError(f"{self._directory} holds no data key any more; restore it from the backup.")
        except (ValueError, OSError, GatewayError) as error:
            log.error("keys.unfit", remedy=str(error))
            return False
        by_id = {each.key.key_id: each.key for each in read}
        if by_id.keys() != self._by_id.keys():
            log.info(
                "data_keys.changed",
                added=sorted(by_id.keys() - self._by_id.keys()),
                removed=sorted(self._by_id.keys() - by_id.keys()),
            )
        self._dated, self._by_id = read, by_id
        return True


def _path(directory: Path, on: date, ordinal: int) -> Path:
    return directory / (f"data-{on:%Y%m%d}-{ordinal}.key" if ordinal else f"data-{on:%Y%m%d}.key")


def _write(directory: Path, provider: KeyProvider, on: date, ordinal: int) -> DatedDataKey:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = DataKey(secrets.token_hex(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES))
    path = _path(directory, on, ordinal)
    write_once(path, _document(key, provider))
    return DatedDataKey(key, on, ordinal, path)


def _document(key: DataKey, provider: KeyProvider) -> bytes:
    wrapped = provider.wrap(key.material, _context(key.key_id))
    return json.dumps({"key_id": key.key_id, "wrapped": base64.b64encode(wrapped).decode()}).encode() + b"\n"


def _context(key_id: str) -> str:
    return f"data key {key_id}"


def _read(path: Path, provider: KeyProvider, unwrapped: dict[str, DataKey]) -> DatedDataKey:
    match = _NAME.fullmatch(path.name)
    refuse_exposed(path, "0600")
    try:
        if match is None:
            raise ValueError
        seals_from = datetime.strptime(match[1], "%Y%m%d").date()  # noqa: DTZ007 - a day in China
        stored = json.loads(path.read_bytes())
        key_id, wrapped = stored["key_id"], base64.b64decode(stored["wrapped"], validate=True)
        key = unwrapped.get(path.name)
        if key is None or key.key_id != key_id:
            key = DataKey(key_id, provider.unwrap(wrapped, _context(key_id)))
    except KeyProviderError:
        raise
    except (StoredDataUnreadable, AlgorithmUnavailable):
        raise KeyDirectoryError(
            f"{path} is wrapped by another key than BANDIAN_AT_REST_KEYS names, or was damaged; restore that key."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise KeyDirectoryError(f"{path} is not a data key; restore it from the backup.") from None
    return DatedDataKey(key, seals_from, int(match[2] or 0), path)
