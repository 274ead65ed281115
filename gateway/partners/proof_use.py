"""The one use of a DPoP proof where several processes serve: spent in the database that they share. RFC 9449 §11.1."""

from datetime import datetime
from typing import Final, Protocol

from gateway.partners.dpop import PROOF_MEMORY, DpopProof
from gateway.partners.errors import proof_refused
from gateway.partners.ports import SPENT, PartnersTransaction, SpentTokens
from gateway.transaction import Foreseen, Look, Transactions

PROOF_USE: Final = "dpop_proof"


class SpendingTransaction(Protocol):
    """The slice of a unit of work that spends."""

    @property
    def spent_tokens(self) -> SpentTokens: ...


class SharedProofUse:
    """``gateway.caller.ProofUse`` of one request. The event loop's alone."""

    __slots__ = ("_shared", "_spent", "look")

    def __init__(self, shared: Transactions[PartnersTransaction], proof: DpopProof, at: datetime) -> None:
        self._shared = shared
        self._spent = False
        self.look = Look(SPENT, (PROOF_USE, proof.thumbprint, proof.token_id, at, at + PROOF_MEMORY))

    def spend_in(self, tx: SpendingTransaction) -> None:
        use, issuer, token_id, at, until = self.look.key
        if not tx.spent_tokens.spend(use, issuer, token_id, at, until):  # type: ignore[arg-type]
            raise proof_refused("replayed", "DPoP 证明只能使用一次，请重新签发")

    def spent(self) -> None:
        self._spent = True

    async def spend(self) -> None:
        if not self._spent:
            await self._shared.write(Foreseen(self.spend_in, (self.look,)))
            self._spent = True
