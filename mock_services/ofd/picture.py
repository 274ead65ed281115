"""A red round seal as PNG: ring and star, no text. Drawn point by point, because a mock needs no drawing library."""

import math
import struct
import zlib
from functools import cache

SIZE = 160
_RED = bytes((200, 22, 29, 255))
_CLEAR = bytes(4)
_RING = (0.92, 1.0)
_STAR = 0.42


@cache
def seal_picture() -> bytes:
    """The PNG, ``SIZE`` points square, clear outside its lines."""
    rows = b"".join(b"\x00" + b"".join(_point(x, y) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    )


def _point(x: int, y: int) -> bytes:
    half = (SIZE - 1) / 2
    across, down = (x - half) / half, (y - half) / half
    radius = math.hypot(across, down)
    inside = _RING[0] <= radius <= _RING[1] or radius <= _star_edge(math.atan2(across, -down))
    return _RED if inside else _CLEAR


def _star_edge(angle: float) -> float:
    """How far a five-pointed star reaches at ``angle`` from its upper point."""
    fifth = math.pi / 5
    off = abs((angle + fifth) % (2 * fifth) - fifth)
    inner = math.cos(2 * fifth) / math.cos(fifth)
    return (
        _STAR
        * inner
        * math.sin(fifth)
        / (inner * math.sin(fifth) * math.cos(off) + (1 - inner * math.cos(fifth)) * math.sin(off))
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
