"""Who is calling, once proved. It lies low so that the door and every room speak of the same thing."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a partner is to the gateway."""

    UTILITY = "utility"
    DEPARTMENT = "department"
    SOURCE = "source"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated partner (调用方).

    ``key_thumbprint`` is the RFC 7638 thumbprint of the DPoP key that signed this very request; ``regions`` are the
    GB/T 2260 codes that the partner serves.
    """

    partner_code: str
    role: Role
    key_thumbprint: str
    scopes: frozenset[str]
    regions: tuple[str, ...] = field(default=())
