"""A process's database for tests, with a clock that is told what time it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.storage.sealed import AtRest
from adapters.storage.transactions import SqlTransactions
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.crypto.sealing import DataKey, FixedKeys, Sealer
from gateway.records.ports import HeadKeeper
from gateway.records.seal_key import SealSigner

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Noon in China on a working Monday."""


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


SEAL_SIGNER = SealSigner("seal-test", Ed25519PrivateKey.generate())
SEAL_KEYS = {SEAL_SIGNER.key_id: SEAL_SIGNER.private_key.public_key()}
DATA_KEY = DataKey("00c0ffee", b"d" * 32)
DIGESTS = KeyedDigest(b"k" * 32)
AT_REST = AtRest(Sealer(FixedKeys((DATA_KEY,))), DIGESTS)


@contextmanager
def opened(
    database_url: str,
    clock: SetClock,
    head_keeper: HeadKeeper | None = None,
    at_rest: AtRest = AT_REST,
    source: str = "https://gateway.example",
) -> Iterator[SqlTransactions]:
    """Transactions over ``database_url`` with a running writer."""
    transactions = SqlTransactions(database_url, SEAL_SIGNER, at_rest, clock, head_keeper, source)
    transactions.open()
    try:
        yield transactions
    finally:
        transactions.close()
