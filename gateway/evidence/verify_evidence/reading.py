"""Small readers, each with one reading."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from .errors import Refused, TooMuch
from .work import spend

SKEW: Final = timedelta(minutes=5)
MAX_JSON_BYTES: Final = 8 << 20
"""Of one document: read, it takes twenty times as much memory."""


def sha256_hex(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    spend("bytes", len(data))
    return hashlib.sha256(data).hexdigest()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a JSON member stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is no JSON")


def read_json(data: bytes | str) -> Any:
    """JSON in UTF-8, no member twice, no NaN. Raises ``Refused``."""
    if len(data) > MAX_JSON_BYTES:
        raise TooMuch("bytes of one JSON document", MAX_JSON_BYTES)
    spend("bytes of JSON", len(data))
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def read_object(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises ``Refused``."""
    found = read_json(data)
    if not isinstance(found, dict):
        raise Refused("not a JSON object")
    return found


def text_of(holder: Mapping[str, Any], name: str) -> str:
    """A text member. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise Refused(f"{name} is no text")
    return value


def utf8(text: str) -> bytes:
    """Its bytes. Raises ``Refused`` for half a character, which JSON can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refused("half a character in a text") from None


def number_of(holder: Mapping[str, Any], name: str) -> int:
    """A whole number that is not negative. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise Refused(f"{name} is no whole number")
    return value


def list_of(holder: Mapping[str, Any], name: str) -> list[Any]:
    """A list member. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, list):
        raise Refused(f"{name} is no list")
    return value


def objects_of(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects. Raises ``Refused``."""
    found = list_of(holder, name)
    if not all(isinstance(each, dict) for each in found):
        raise Refused(f"{name} holds something that is no object")
    return found


def texts_of(holder: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts. Raises ``Refused``."""
    found = list_of(holder, name)
    if not all(isinstance(each, str) for each in found):
        raise Refused(f"{name} holds something that is no text")
    return found


def instant_of(holder: Mapping[str, Any], name: str) -> datetime:
    """An RFC 3339 time with its offset. Raises ``Refused``."""
    try:
        at = datetime.fromisoformat(text_of(holder, name))
        if at.tzinfo is None:
            raise ValueError
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{name} is no time") from None


def epoch(seconds: object) -> datetime:
    """Seconds since 1970 (NumericDate, RFC 7519 §2). Raises ``Refused``."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1 << 37:
        raise Refused("not a time in seconds")
    return datetime.fromtimestamp(seconds, UTC)


def told(at: datetime) -> str:
    """A time for people, in UTC to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def unbase64url(text: str | bytes) -> bytes:
    """base64url without padding in its one spelling. Raises ``Refused``."""
    spend("bytes", len(text))
    encoded = text.encode("ascii", "replace") if isinstance(text, str) else text
    try:
        data = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != encoded:
        raise Refused("not the one spelling in base64url")
    return data


def unbase64(text: object) -> bytes:
    """base64 with padding in its one spelling. Raises ``Refused``."""
    if not isinstance(text, str):
        raise Refused("not base64")
    spend("bytes", len(text))
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Refused("not the one spelling in base64")
    return data


def members_of(account: Mapping[str, Any], name: str) -> list[Any]:
    """A list member; empty where there is none."""
    found = account.get(name)
    return found if isinstance(found, list) else []
