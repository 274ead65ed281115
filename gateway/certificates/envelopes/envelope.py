"""What every envelope offers the verifier, whatever its form: a leaf, a chain, a signature to check, then content."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.certificates.policy import KindPolicy
from schemas.status_lists import StatusListReference


@dataclass(frozen=True, slots=True)
class SealedContent:
    """What the seal covers, not yet judged. ``metadata`` is as issued (``ZZMC`` …); ``issuer`` and ``identifier`` are
    what the envelope itself says beside it, None in a form that says it only once.
    """

    metadata: dict[str, Any] = field(repr=False)
    issuer: str | None
    identifier: str | None
    status: StatusListReference | None


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
