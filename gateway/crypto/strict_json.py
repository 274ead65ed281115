"""JSON and base64url with one reading only: what two parsers could read differently is refused.

Sources: RFC 8259 (UTF-8, no BOM), RFC 7515 §4 and RFC 7519 §4 (duplicate members), RFC 7515 §2 and RFC 4648 §3.5
(base64url without padding, zero trailing bits).
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from gateway.crypto.errors import refused
from gateway.wording.phrases import Phrase

MAX_DEPTH = 12
MAX_NUMBER_DIGITS = 32
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
"""A string, or what is left of an unclosed one, so that hostile quotes cost one pass."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""Lone surrogates have no UTF-8; NUL ends a text for some readers, and no database column takes it."""
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPED_NUL = b"\\u0000"
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_+/=", b"+/!!!")
"""What base64url does not know becomes what base64 does not know either."""
_LAST: tuple[frozenset[int] | None, ...] = (None, frozenset(), frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
"""By the length modulo 4, the characters that leave no bits over but zeros: nothing to ask at 0, none can be at 1."""
_PADDING = (b"", b"", b"==", b"=")


def encode_base64url(data: bytes) -> bytes:
    """base64url without padding, RFC 7515 §2."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """The bytes of a canonical base64url text. Raises ``JoseRefused`` (``jose.base64url``) for any other spelling.

    Padding, foreign characters, white space and non-zero trailing bits are other spellings.
    """
    over = len(text) & 3
    last = _LAST[over]
    if last is None or text[-1] in last:
        try:
            return binascii.a2b_base64(text.translate(_FROM_URL) + _PADDING[over], strict_mode=True)
        except binascii.Error:
            pass
    raise refused("base64url", "各段须为无填充的规范 base64url 编码")


def decode_base64(text: object) -> bytes:
    """The bytes of one ``x5c`` member: canonical base64 *with* padding (RFC 7515 §4.1.6). Raises ``JoseRefused``."""
    if not isinstance(text, str) or not text.isascii():
        raise refused("x5c", "x5c 的每一项须为规范 base64 文本")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refused("x5c", "x5c 的每一项须为规范 base64 文本") from None
    if not data or base64.b64encode(data).decode() != text:
        raise refused("x5c", "x5c 的每一项须为规范 base64 文本")
    return data


def parse_object(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The one JSON object in ``data``.

    Raises ``JoseRefused`` with check ``jose.oversize``, ``.depth``, ``.encoding``, ``.duplicate_member`` or ``.json``.
    """
    if len(data) > max_bytes:
        raise refused("oversize", Phrase("内容不得超过 {most} 字节", most=max_bytes))
    if data.count(b"{") + data.count(b"[") <= max_depth:
        plain = _plain_object(data)
        if plain is not None:
            return plain
    if not data.startswith(b"{"):
        raise refused("json", "须为不带 BOM 与前导空白的 JSON 对象")
    _check_depth(data, max_depth)
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise refused("encoding", "须为合法的 UTF-8 编码") from None
    except (ValueError, RecursionError):
        raise refused("json", "须为合法的 JSON 对象") from None
    if (_ESCAPED_SURROGATE.search(data) or _ESCAPED_NUL in data) and _has_no_text(value):
        raise refused("encoding", "文本不得含有孤立的代理码位或空字符")
    if not isinstance(value, dict):
        raise refused("json", "须为 JSON 对象")
    return value


def _plain_object(data: bytes) -> dict[str, Any] | None:
    """What is written as we would write it, by a quicker parser; None for the rest, which the strict one judges.

    Whatever two parsers could read differently – a member told twice, another spelling of a number or a text – is not
    written again the same.
    """
    if b"\\" in data:
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict and orjson.dumps(value) == data else None


def dump(value: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON, members in the given order; NaN and infinities are refused with ``ValueError``."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _check_depth(data: bytes, limit: int) -> None:
    depth = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"{[":
            depth += 1
            if depth > limit:
                raise refused("depth", Phrase("JSON 嵌套不得超过 {most} 层", most=limit))
        elif byte in b"}]":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise refused("duplicate_member", "JSON 对象的成员不得重复")
    return members


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise ValueError("number too long")
    return int(digits)


def _bounded_float(digits: str) -> float:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise ValueError("number too long")
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_bounded_int, parse_float=_bounded_float
)


def _has_no_text(value: Any) -> bool:
    if isinstance(value, str):
        return _NO_TEXT.search(value) is not None
    if isinstance(value, dict):
        return any(_has_no_text(part) for item in value.items() for part in item)
    if isinstance(value, list):
        return any(_has_no_text(part) for part in value)
    return False
