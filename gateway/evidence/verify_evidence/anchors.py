"""Whom to believe: what stands in DIR."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .certificates import Certificate
from .errors import Refused, Unreadable
from .jose import NamedKey
from .keys import key_of_jwk
from .reading import instant_of, read_json, text_of
from .record import NoteKey

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Anchors:
    """What DIR holds. What is not there proves nothing, and is said."""

    roots: tuple[Certificate, ...] = ()
    issuers: tuple[Mapping[str, Any], ...] | None = None
    kinds: Mapping[str, frozenset[str]] | None = None
    """The codes (证照类型代码) that each kind is issued under."""
    gateway: tuple[NamedKey, ...] = ()
    partners: Mapping[str, tuple[NamedKey, ...]] = field(default_factory=dict)
    identity_issuer: str | None = None
    identity_audience: str | None = None
    """What the identity provider calls the gateway (its client id): for whom an assertion must be."""
    identity: tuple[NamedKey, ...] = ()
    checkpoints: tuple[NoteKey, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()
    time_stamping: tuple[Certificate, ...] = ()
    """Roots of authorities that stamp checkpoints."""

    @classmethod
    def read(cls, directory: Path) -> "Anchors":
        """Raises ``Unreadable``, naming the file."""
        if not directory.is_dir():
            raise Unreadable(f"{directory} is no directory")
        identity = _json_file(directory, "identity-provider.json") or {}
        partners = _json_file(directory, "partners.json") or {}
        issuers = _json_file(directory, "issuers.json", list)
        return cls(
            _roots(directory, "anchors"),
            None if issuers is None else tuple(each for each in issuers if isinstance(each, dict)),
            _kinds(_json_file(directory, "kinds.json")),
            _keys("gateway.jwks.json", (_json_file(directory, "gateway.jwks.json") or {}).get("keys", [])),
            {code: _keys("partners.json", keys) for code, keys in partners.items()},
            _named(identity, "issuer"),
            _named(identity, "audience"),
            _keys("identity-provider.json", identity.get("keys", [])),
            _note_keys(directory / "checkpoints.vkeys"),
            _note_keys(directory / "witnesses.vkeys"),
            _roots(directory, "time-stamps"),
        )


def _json_file(directory: Path, name: str, kind: type = dict) -> Any:
    path = directory / name
    if not path.exists():
        return None
    try:
        found = read_json(path.read_bytes())
    except (OSError, Refused):
        raise Unreadable(f"{name} in DIR is not JSON that can be read") from None
    if not isinstance(found, kind):
        raise Unreadable(f"{name} in DIR is not as it should be")
    return found


def _kinds(members: Mapping[str, Any] | None) -> Mapping[str, frozenset[str]] | None:
    if members is None:
        return None
    for codes in members.values():
        if not isinstance(codes, list) or not all(isinstance(each, str) for each in codes):
            raise Unreadable("kinds.json in DIR is not as it should be")
    return {kind: frozenset(codes) for kind, codes in members.items()}


def _named(members: Mapping[str, Any], name: str) -> str | None:
    found = members.get(name)
    return found if isinstance(found, str) else None


def _keys(name: str, members: object) -> tuple[NamedKey, ...]:
    """JWKs, or objects with a ``jwk`` and when it counts. A key of a type unknown here is passed over."""
    found: list[NamedKey] = []
    for member in members if isinstance(members, list) else ():
        try:
            terms = member if isinstance(member, dict) and "jwk" in member else {"jwk": member}
            jwk = terms["jwk"]
            ends = [instant_of(terms, each) for each in ("valid_until", "revoked_at") if terms.get(each) is not None]
            begins = instant_of(terms, "valid_from") if terms.get("valid_from") is not None else None
            use = terms.get("use") if "jwk" in member else None
            found.append(NamedKey(text_of(jwk, "kid"), key_of_jwk(jwk), use, begins, min(ends, default=None)))
        except (Refused, AttributeError, TypeError):
            continue
    if members and not found:
        raise Unreadable(f"{name} in DIR holds no key that can be used")
    return tuple(found)


def _note_keys(path: Path) -> tuple[NoteKey, ...]:
    if not path.exists():
        return ()
    try:
        return tuple(NoteKey.read(line) for line in path.read_text("utf-8").split("\n") if line and line[0] != "#")
    except (OSError, ValueError, Refused):
        raise Unreadable(f"{path.name} in DIR holds something that is no verifier key") from None


def _roots(directory: Path, name: str) -> tuple[Certificate, ...]:
    return tuple(root for path in sorted((directory / name).glob("*.pem")) for root in _roots_in(path))


def _roots_in(path: Path) -> list[Certificate]:
    try:
        blocks = _PEM.findall(path.read_bytes())
        found = [Certificate.read(base64.b64decode(b"".join(each.split()), validate=True)) for each in blocks]
    except (OSError, ValueError, Refused):
        found = []
    if not found:
        raise Unreadable(f"{path.parent.name}/{path.name} in DIR holds no certificate that can be read")
    return found
