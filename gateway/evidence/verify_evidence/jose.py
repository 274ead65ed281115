"""Compact JWS (RFC 7515), and whose key signed one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .errors import NotProved, Refused
from .keys import PublicKey, verify_jose
from .reading import SKEW, read_object, text_of, unbase64url

MAX_JWS_BYTES: Final = 16 << 20

_FOREIGN: Final = frozenset(
    ("crit", "b64", "zip", "enc", "epk", "apu", "apv", "p2s", "p2c", "jku", "x5u", "jwk", "iss", "sub", "aud")
) | {"x5c", "x5t", "x5t#S256"}


@dataclass(frozen=True)
class Jws:
    """A compact JWS, read and not yet believed."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes, typ: str, *, x5c: bool = False) -> "Jws":
        """``x5c`` – with a chain. Raises ``Refused`` for what is no compact JWS of this ``typ`` in its one spelling,
        ``NotProved`` for one that is too large.
        """
        if len(data) > MAX_JWS_BYTES:
            raise NotProved("a JWS that is larger than is looked at")
        parts = data.split(b".")
        if len(parts) != 3:
            raise Refused("not a compact JWS")
        header = read_object(unbase64url(parts[0]))
        found = header.get("typ")
        if not isinstance(found, str) or found.lower().removeprefix("application/") != typ:
            raise Refused(f"its typ is not {typ}")
        foreign = _FOREIGN & header.keys() - ({"x5c", "x5t", "x5t#S256"} if x5c else set())
        if foreign or ("x5c" in header) != x5c:
            raise Refused(f"its header does not fit: {', '.join(sorted(foreign)) or 'x5c'}")
        return cls(header, unbase64url(parts[1]), parts[0] + b"." + parts[1], unbase64url(parts[2]))

    def verify(self, key: PublicKey) -> None:
        """Raises ``Refused``."""
        verify_jose(text_of(self.header, "alg"), key, self.signature, self.signed)

    def claims(self) -> dict[str, Any]:
        """The payload as an object. Raises ``Refused``."""
        return read_object(self.payload)


@dataclass(frozen=True)
class NamedKey:
    """A key of somebody's, and when a signature made with it counts. ``use`` None: for everything."""

    kid: str
    key: PublicKey
    use: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def usable(self, use: str, at: datetime) -> bool:
        """Whether a signature for ``use`` made at ``at`` counts."""
        begun = self.valid_from is None or self.valid_from <= at + SKEW
        return begun and (self.valid_until is None or at < self.valid_until) and self.use in (use, "any", None)


def verify_by_one(token: Jws, keys: Sequence[NamedKey], use: str, at: datetime, whose: str) -> str:
    """The ``kid`` of the key that signed ``token``. Raises ``NotProved`` without a key, ``Refused`` for a wrong one."""
    kid = token.header.get("kid")
    named = [each for each in keys if each.usable(use, at) and kid in (None, each.kid)]
    if not named:
        raise NotProved(f"DIR has no key of {whose} that counted then" + (f" under {kid}" if kid else ""))
    for each in named[:8]:
        try:
            token.verify(each.key)
        except Refused as error:
            refusal = error
        else:
            return each.kid
    raise refusal
