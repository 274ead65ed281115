"""What a kind of e-certificate demands of its envelope, its sources and its age."""

from dataclasses import dataclass, field
from datetime import timedelta

from gateway.certificates.freshness import FreshnessLimit

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPolicy:
    """``source`` limits the age of a fetched copy, ``status`` of a status list, ``crl`` of a CRL or an OCSP answer.

    ``max_envelope_bytes`` is for a JWS, ``max_ofd_bytes`` for an OFD document, which holds pages and pictures.
    An empty set of algorithms would verify nothing and is refused (``ValueError``).
    """

    algorithms: frozenset[str] = frozenset({"ES256", "EdDSA", "SM2-SM3"})
    source: FreshnessLimit = field(default=FreshnessLimit(DAY, 7 * DAY))
    status: FreshnessLimit = field(default=FreshnessLimit(6 * HOUR, DAY))
    crl: FreshnessLimit = field(default=FreshnessLimit(DAY, 3 * DAY))
    max_envelope_bytes: int = 64 * 1024
    max_ofd_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        if not self.algorithms:
            raise ValueError("a kind's policy names at least one algorithm")
