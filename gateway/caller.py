"""Who is calling, once proved. It lies low so that the door and every room speak of the same thing."""

from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from gateway.transaction import Look


class Role(StrEnum):
    """What a partner is to the gateway."""

    UTILITY = "utility"
    DEPARTMENT = "department"
    SOURCE = "source"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Caller(NamedTuple):
    """An authenticated partner (调用方).

    ``key_thumbprint`` is the RFC 7638 thumbprint of the DPoP key that signed this very request; ``regions`` are the
    GB/T 2260 codes that the partner serves.
    """

    partner_code: str
    role: Role
    key_thumbprint: str
    scopes: frozenset[str]
    regions: tuple[str, ...] = ()


class ProofUse(Protocol):
    """The one use of a proof of possession that was verified, where several processes might be shown it.

    Nobody is answered before it is spent: within the unit of work that is committed for the answer, or by itself.
    """

    @property
    def look(self) -> Look:
        """What a unit of work that spends it looks at."""
        ...

    def spend_in(self, tx: Any) -> None:
        """Spend it within a unit of work. Raises ``ProofRefused``: it was spent before."""
        ...

    def spent(self) -> None:
        """The unit of work that spent it was committed."""
        ...

    async def spend(self) -> None:
        """Spend it, unless it was. Raises ``ProofRefused``, ``Overloaded``."""
        ...
