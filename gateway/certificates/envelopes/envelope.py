"""What every envelope offers the verifier, whatever its form: a leaf, a chain, a signature to check, then content."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.certificates.policy import KindPolicy
from schemas.status_lists import StatusListReference


@dataclass(frozen=True, slots=True)
class Doubt:
    """What about an envelope could not be known although its signature holds. ``remedy`` is for a person."""

    check: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SealedContent:
    """What the seal covers, not yet judged. ``metadata`` is as issued (``ZZMC`` …); ``issuer`` and ``identifier`` are
    what the envelope itself says beside it, None in a form that says it only once.

    ``doubts`` make the answer indeterminate at best; ``findings`` are slugs of what is worth telling. ``stands_until``
    (exclusive) is how long the envelope's own times are judged as they were; None where that is not known beforehand.
    ``prove`` proves the seal's signature over the same bytes once more, and raises as ``OpenedEnvelope.content``.
    """

    metadata: dict[str, Any] = field(repr=False)
    issuer: str | None
    identifier: str | None
    status: StatusListReference | None
    doubts: tuple[Doubt, ...] = ()
    findings: tuple[str, ...] = ()
    stands_until: datetime | None = None
    prove: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A certificate besides the leaf on which an envelope rests: of the maker 制章者 of its seal, for instance.

    ``role`` is the prefix under which a failure of its chain is told (``seal.maker`` → ``seal.maker.revoked``), DER
    ``certificate`` what must lead to an anchor, its dates judged at ``valid_at`` (aware UTC; None: now).
    """

    role: str
    certificate: bytes
    valid_at: datetime | None


def dates_at(sealed_at: datetime | None, at: datetime) -> datetime | None:
    """When the dates of certificates count: when the seal says it was used, never later than ``at``; None is now."""
    return None if sealed_at is None else min(sealed_at, at)


class OpenedEnvelope(Protocol):
    """An envelope whose outside was checked. Nothing in it is proved yet."""

    @property
    def algorithm(self) -> str:
        """The signature scheme, by its name in the seam."""
        ...

    @property
    def leaf(self) -> bytes:
        """The seal certificate, DER."""
        ...

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        """The certificates carried beside it, DER."""
        ...

    @property
    def sealed_at(self) -> datetime | None:
        """When it says to have been sealed, aware UTC: the instant at which dates of certificates count.

        None: they count now.
        """
        ...

    @property
    def vouchers(self) -> tuple[Voucher, ...]:
        """Further certificates that must be good, found through ``intermediates`` as well."""
        ...

    def content(self, public_key_info: bytes, at: datetime) -> SealedContent:
        """The content, once ``public_key_info`` (DER) proved to have signed it.

        Raises ``SignatureInvalid``, ``EnvelopeRefused`` or ``AlgorithmUnavailable``.
        """
        ...


class EnvelopeFormat(Protocol):
    """One form of envelope (``jws``, ``ofd``)."""

    @property
    def form(self) -> str:
        """Its name."""
        ...

    def recognises(self, data: bytes) -> bool:
        """Whether ``data`` looks like this form, by its first bytes."""
        ...

    def open(self, data: bytes, policy: KindPolicy) -> OpenedEnvelope:
        """Check the outside: size, structure, header, algorithm. Raises ``EnvelopeRefused``."""
        ...
