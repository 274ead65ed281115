"""The kinds that exist: found once at start-up inside one known package, duplicates refused."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from gateway.certificates import kinds
from gateway.certificates.errors import UnknownKind
from gateway.certificates.kind import CertificateKind


@dataclass(frozen=True, slots=True)
class KindRegistry:
    """Kinds by code."""

    by_code: Mapping[str, CertificateKind]

    @classmethod
    def build(
        cls, found: Iterable[CertificateKind], type_codes: Mapping[str, tuple[str, ...]] | None = None
    ) -> "KindRegistry":
        """A registry of ``found``, with ``type_codes`` replacing the 证照类型代码 of the kinds it names.

        Raises ``ValueError`` when a code or a 证照类型代码 stands twice, or ``type_codes`` names no kind.
        """
        table: dict[str, CertificateKind] = {}
        replaced = dict(type_codes or {})
        owners: dict[str, str] = {}
        for kind in found:
            if kind.code in table:
                raise ValueError(f"two files export the certificate kind {kind.code!r}")
            chosen = kind.with_type_codes(replaced.pop(kind.code)) if kind.code in replaced else kind
            for code in chosen.type_codes:
                if owners.setdefault(code, kind.code) != kind.code:
                    raise ValueError(f"kinds {owners[code]!r} and {kind.code!r} share a type code")
            table[kind.code] = chosen
        if replaced:
            raise ValueError(f"type codes are configured for unknown kinds: {sorted(replaced)}")
        return cls(MappingProxyType(table))

    @classmethod
    def discover(cls, type_codes: Mapping[str, tuple[str, ...]] | None = None) -> "KindRegistry":
        """Every ``KIND`` of ``gateway.certificates.kinds``. Raises ``ValueError`` as `build`, or for a file without."""
        return cls.build(_exported(), type_codes)

    def copies_kept(self) -> dict[str, timedelta]:
        """By kind, how old a copy may be and still be used."""
        return {code: kind.policy.source.permitted for code, kind in self.by_code.items()}

    def get(self, code: str) -> CertificateKind:
        """The kind called ``code``. Raises ``UnknownKind``."""
        try:
            return self.by_code[code]
        except KeyError:
            raise UnknownKind from None


def _exported() -> Iterator[CertificateKind]:
    for module in sorted(pkgutil.iter_modules(kinds.__path__), key=lambda item: item.name):
        kind = getattr(importlib.import_module(f"{kinds.__name__}.{module.name}"), "KIND", None)
        if not isinstance(kind, CertificateKind):
            raise ValueError(f"{module.name} exports no KIND")
        yield kind
