"""The key directory as it is now: each signature is made with the newest key that may sign today.

The files are read again every minute, so that a key added or removed needs no restart; what cannot be read then leaves
the keys that are in use. Keys of the record's seals are the exception: a process seals with one key, chosen at start.
The data keys of what rests in the database are read again with them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from adapters.data_keys import LiveDataKeys
from adapters.key_directory import KeyDirectory, KeyDirectoryError, KeyPurpose, open_key_directory
from gateway.clock import Clock, date_in_china
from gateway.crypto.jwk import CurrentKey, SigningKey, VerificationKey

EVERY: Final = timedelta(seconds=60)

log = structlog.get_logger()


class LiveKeys:
    """Keys by purpose. ``first`` is the directory as read at start; ``data`` are the data keys, where there are any."""

    def __init__(self, directory: Path, first: KeyDirectory, clock: Clock, data: LiveDataKeys | None = None) -> None:
        self.data = data
        self._directory = directory
        self._current = first
        self._clock = clock

    @property
    def lookup_secret(self) -> bytes:
        """The secret of keyed digests; it never changes."""
        return self._current.lookup_secret

    def signing(self, purpose: KeyPurpose) -> SigningKey:
        """The key that signs now. Raises ``KeyDirectoryError`` when all are dated later."""
        return self._current.signing(purpose, date_in_china(self._clock()))

    def signer(self, purpose: KeyPurpose) -> CurrentKey:
        """``signing`` for one purpose, to be asked at each use. Raises as it does."""
        self.signing(purpose)
        return lambda: self.signing(purpose)

    def verification(self, purpose: KeyPurpose) -> tuple[VerificationKey, ...]:
        """The public halves of all keys of ``purpose``, newest first."""
        return self._current.verification(purpose)

    def published(self) -> tuple[VerificationKey, ...]:
        """The public halves of all keys."""
        return self._current.all_verification()

    def ages(self) -> Mapping[str, Callable[[], float]]:
        """For each purpose what tells for how many days its present key has been in use; ``data`` for what rests."""
        told: dict[str, Callable[[], float]] = {purpose.value: partial(self._age, purpose) for purpose in KeyPurpose}
        if self.data is not None:
            told["data"] = partial(self._data_age, self.data)
        return told

    def _age(self, purpose: KeyPurpose) -> float:
        on = date_in_china(self._clock())
        used = [dated.signs_from for dated in self._current.keys[purpose] if dated.signs_from <= on]
        return (on - used[0]).days if used else 0

    def _data_age(self, data: LiveDataKeys) -> float:
        on, current = date_in_china(self._clock()), data.current()
        return next(((on - dated.seals_from).days for dated in data.dated if dated.key == current), 0)

    def reread(self) -> bool:
        """Take what the directories hold now; False where one cannot be used, and nothing of it changed."""
        data_fit = self.data is None or self.data.reread()
        return self._reread_signing() and data_fit

    def _reread_signing(self) -> bool:
        on = date_in_china(self._clock())
        try:
            read = open_key_directory(self._directory, generate=False, on=on)
            for purpose in KeyPurpose:
                read.signing(purpose, on)
        except KeyDirectoryError as error:
            log.error("keys.unfit", remedy=str(error))
            return False
        if read.lookup_secret != self._current.lookup_secret:
            log.error("keys.unfit", remedy="lookup.key was changed; restore it, or nobody is found again")
            return False
        before, after = ({key.kid for key in each.all_verification()} for each in (self._current, read))
        if before != after:
            log.info("keys.changed", added=sorted(after - before), removed=sorted(before - after))
        self._current = read
        return True

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Read again until ``stop`` is set."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())
                return
            await asyncio.to_thread(self.reread)


class LiveTokenKeys:
    """``gateway.partners.tokens.TokenKeys`` out of a live directory."""

    def __init__(self, keys: LiveKeys) -> None:
        self._keys = keys

    @property
    def signing(self) -> SigningKey:
        """Signs new tokens."""
        return self._keys.signing(KeyPurpose.TOKEN)

    @property
    def accepted(self) -> tuple[VerificationKey, ...]:
        """Whatever is still published verifies."""
        return self._keys.verification(KeyPurpose.TOKEN)
