"""SM2 and SM3 (GM/T 0003, GM/T 0004, GM/T 0009): plain and slow, which is enough here."""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from .errors import NotProved, Refused
from .work import SM2_COST, SM3_COST, spend

_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_Point = tuple[int, int] | None


def sm3(data: bytes) -> bytes:
    """SM3, 32 bytes. Raises ``NotProved`` where the library has none."""
    try:
        digest = hashes.Hash(hashes.SM3())
    except UnsupportedAlgorithm:
        raise NotProved("this installation has no SM3") from None
    spend("bytes", SM3_COST * len(data))
    digest.update(data)
    return digest.finalize()


def _add(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _times(scalar: int, point: _Point) -> _Point:
    found: _Point = None
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point, scalar = _add(point, point), scalar >> 1
    return found


@dataclass(frozen=True)
class Sm2Key:
    """An SM2 public key; raises ``Refused`` for a point that is not on the curve."""

    x: int
    y: int

    def __post_init__(self) -> None:
        on_curve = (self.y * self.y - self.x**3 - _A * self.x - _B) % _P == 0
        if not (0 <= self.x < _P and 0 <= self.y < _P and on_curve):
            raise Refused("not a point of the SM2 curve")

    def verify(self, signature: bytes, message: bytes) -> None:
        """``signature`` is r‖s. Raises ``InvalidSignature``."""
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        if len(signature) != 64 or not (0 < r < _N and 0 < s < _N) or (r + s) % _N == 0:
            raise InvalidSignature
        spend("signatures", SM2_COST)
        signer = b"1234567812345678"
        parts = (_A, _B, *_G, self.x, self.y)
        z = sm3((8 * len(signer)).to_bytes(2) + signer + b"".join(each.to_bytes(32) for each in parts))
        e = int.from_bytes(sm3(z + message))
        point = _add(_times(s, _G), _times((r + s) % _N, (self.x, self.y)))
        if point is None or (e + point[0]) % _N != r:
            raise InvalidSignature
