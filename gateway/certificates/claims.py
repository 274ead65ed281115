"""Claims of an e-certificate: the common 照面 metadata. A kind's own model adds its ``KZ_`` fields with their names."""

from datetime import date

from schemas.ecertificates import HOLDER_SEPARATOR, ECertificateMetadata


class ECertificateClaims(ECertificateMetadata):
    """Base of every kind's claims model. Fields that no model names stay in ``extensions`` and never leave."""

    def in_force(self, on: date) -> bool:
        """Whether the China date ``on`` lies within the validity, both ends included; no end means 长期."""
        return self.valid_from_on <= on and (self.valid_until_on is None or on <= self.valid_until_on)

    def holder_codes(self) -> tuple[str, ...]:
        """The code of each holder (共有人 in order)."""
        return tuple(self.holder_code.split(HOLDER_SEPARATOR))

    def holder_names(self) -> tuple[str, ...]:
        """The name of each holder (共有人 in order)."""
        return tuple(self.holder.split(HOLDER_SEPARATOR))
