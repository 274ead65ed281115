"""Before a process starts: everything is put together once, and what cannot work is told in one sentence."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.departments import DepartmentSettingsError
from adapters.head_keeper import latest_heads
from adapters.key_directory import KeyDirectoryError
from adapters.storage.engine import DatabaseUrlError
from adapters.trust_directory import TrustDirectoryError
from gateway.bootstrap import (
    Foundation,
    build_anchoring,
    build_hub,
    build_rechecks,
    build_relay,
    clients,
    lay_foundation,
)
from gateway.clock import Clock, system_clock
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.crypto.sealing import KeyProviderError
from gateway.errors import Overloaded
from gateway.settings import PREFIX, Settings, SettingsError

_SENTENCES = {
    "record.database_unreachable": (
        f"The database of {PREFIX}DATABASE_URL does not answer; start it, or mend its address, user or password."
    ),
    "record.schema_not_current": "The database does not have the schema of this version; run: bandian migrate",
    "record.schema_newer": (
        "The database belongs to a newer version, which this one cannot work beside; start the newer version."
    ),
    "record.schema_locked": (
        "A table was in use all the time, so that the schema was not changed; run bandian migrate again when less "
        "goes on."
    ),
    "record.restored_not_adopted": (
        "The database was restored from a backup and is not adopted yet; read docs/operations/backup.md, then run: "
        "bandian adopt-restored"
    ),
}
_ALREADY_SENTENCES = (
    SettingsError,
    KeyDirectoryError,
    KeyProviderError,
    TrustDirectoryError,
    DepartmentSettingsError,
    DatabaseUrlError,
)


class StartRefused(ValueError):
    """The start is refused; the text is one sentence for the operator, without any value that may be secret."""


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """Raises ``StartRefused`` for what an operator can mend: settings, keys, trust, files, the database."""
    try:
        yield
    except _ALREADY_SENTENCES as error:
        raise StartRefused(str(error)) from None
    except Overloaded as error:
        raise StartRefused(_SENTENCES.get(error.check, str(error))) from None
    except OSError as error:
        raise StartRefused(
            f"{error.filename or 'A file'} cannot be opened ({error.strerror}); give this user the rights to it."
        ) from None


def refuse_bad_start(settings: Settings, clock: Clock = system_clock) -> None:
    """Raises ``StartRefused`` where ``serve`` or ``worker`` could not work with these settings.

    Runs an event loop of its own, puts together what they would, and closes it again. Keys that may be generated are.
    """
    with told_in_one_sentence():
        asyncio.run(_rehearse(settings, clock))


async def _rehearse(settings: Settings, clock: Clock) -> None:
    foundation = lay_foundation(settings, clock)
    try:
        if settings.sm2_library is not None:
            _prove_sm2()
        if settings.heartbeat_file is not None and not os.access(settings.heartbeat_file.parent, os.W_OK):
            raise SettingsError(f"{PREFIX}HEARTBEAT_FILE must lie in a directory that can be written; name another.")
        async with clients() as (http, session):
            build_rechecks(foundation, build_hub(foundation, http).certificates, http)
            build_relay(foundation, session)
            build_anchoring(foundation, http)
        await foundation.transactions.require_current_schema()
        await foundation.transactions.require_adopted()
        await _refuse_older_than_heads(foundation)
    finally:
        foundation.close()


async def _refuse_older_than_heads(foundation: Foundation) -> None:
    """Heads that left the database, and are not in it, show that it was put back to what it was before them.

    They are read first, so that what is committed meanwhile contradicts nothing.
    """
    kept = latest_heads(foundation.settings.head_directory)
    lost = await foundation.transactions.read(lambda tx: tx.restorations.contradicted(kept))
    if lost:
        raise StartRefused(
            f"The database is older than the heads in {foundation.settings.head_directory}: it was restored or "
            "replaced; read docs/operations/backup.md, then run bandian adopt-restored, or for a new database empty "
            "that directory."
        )


def _prove_sm2() -> None:
    try:
        sm2.library()
    except AlgorithmUnavailable:
        raise SettingsError(
            f"{PREFIX}SM2_LIBRARY names no library that can be loaded and has SM2; name one that has, or unset it."
        ) from None
