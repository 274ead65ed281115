"""Before a process starts: everything is put together once, and what cannot work is told in one sentence."""

import asyncio
import os

from adapters.head_keeper import latest_heads
from gateway.bootstrap.clients import clients
from gateway.bootstrap.foundation import Foundation, lay_foundation
from gateway.bootstrap.hub import build_hub
from gateway.bootstrap.loops import build_anchoring, build_rechecks, build_relay
from gateway.clock import Clock, system_clock
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.settings import PREFIX, Settings, SettingsError
from gateway.start_refusals import StartRefused, told_in_one_sentence


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
        async with clients() as (http, outgoing):
            build_rechecks(foundation, build_hub(foundation, http).certificates, http)
            build_relay(foundation, outgoing)
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
