"""The written forms that count as the same, exactly; what differs after them differs.

Names:     NFKC (full and half width, so that （） is ()), no white space, every middle dot ``·``, 〔〕【】 as ().
           Raised and lowered characters and fractions stay: 8² is not 82.
Codes:     NFKC, no white space, no hyphens, capital letters; then told apart by scheme and check character.
Addresses: as names, and 號→号, every dash ``-``; a space stays where it parts numbers (8号1 101 is not 8号1101). Then
           province, city and county at the front are taken off by the GB/T 2260 table and stand as a code, which the
           document itself tells where its text does not.

Nothing is guessed: no abbreviations, no other variants of characters, no likeness. Every function is total.
Sources: Unicode UAX #15 (NFKC); GB 32100, GB 11714, GB 11643; GB/T 2260.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from schemas.identifiers import (
    IdentifierError,
    normalise_organisation_code,
    parse_resident_identity_number,
    same_resident_identity_number,
    upgrade_resident_identity_number,
    validate_unified_social_credit_code,
)
from schemas.regions import PROVINCE, REGION_NAMES

_SAME_IN_NAMES = str.maketrans(dict.fromkeys("•‧∙⋅・", "·") | dict.fromkeys("〔【", "(") | dict.fromkeys("〕】", ")"))
_SAME_IN_ADDRESSES = str.maketrans({"號": "号"} | dict.fromkeys("‐‑‒–—―−", "-"))
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
_BETWEEN_NAMES = re.compile(r"[、,;]")
_PARTING_SPACE = re.compile(r"(?<=[0-9A-Za-z])\s+(?=[0-9A-Za-z])")
_APART = ("<super>", "<sub>", "<fraction>")
_PRIVATE_USE = 0xF0000
_PARTED = chr(_PRIVATE_USE)


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", "".join(map(_kept_apart, text)))


@lru_cache(8192)
def _kept_apart(character: str) -> str:
    """``character``, or one that NFKC leaves alone where it would make a digit beside digits of it."""
    apart = not character.isascii() and unicodedata.decomposition(character).startswith(_APART)
    return chr(_PRIVATE_USE + ord(character)) if apart else character


def _folded(text: str) -> str:
    """NFKC without white space; once more, because what a space kept apart may compose."""
    return _nfkc("".join(_nfkc(text).split()))


def name_form(text: str) -> str:
    """The normal form of a person's or an enterprise's name."""
    return _folded(text).translate(_SAME_IN_NAMES)


def listed(text: str | None) -> tuple[str, ...]:
    """What stands one after the other in a field that lists several (、 , ;), as written; nothing empty."""
    parts = _BETWEEN_NAMES.split(unicodedata.normalize("NFKC", text or ""))
    return tuple(part for part in (part.strip() for part in parts) if part)


# codes ------------------------------------------------------------------------------------------------------------


class CodeRelation(StrEnum):
    """How two codes of holders stand to each other; the same either way round."""

    EQUAL = "equal"
    HISTORIC = "historic"
    """One is the other's predecessor by the standard itself: 15 → 18 digits, or 组织机构代码 in 统一社会信用代码."""
    DIFFERENT = "different"
    """Both are whole, and never of one holder."""
    INCOMPARABLE = "incomparable"
    """Of schemes between which nothing follows (an old 注册号, a passport), or not whole."""


SHORTEST_CODE = 5
"""Of what is no code of a known scheme: anything shorter is a remark."""
_MASK = "XXX"


class _Scheme(StrEnum):
    RESIDENT = "resident"
    ENTERPRISE = "enterprise"
    ORGANISATION = "organisation"
    FIFTEEN_DIGITS = "fifteen_digits"
    OTHER = "other"


def code_form(text: str) -> str:
    """The normal form of a code."""
    return _folded(text).replace("-", "").translate(_CAPITALS)


def relate_codes(one: str, other: str) -> CodeRelation:
    """How ``one`` and ``other`` stand to each other, after ``code_form``. An empty code is comparable to none."""
    one, other = code_form(one), code_form(other)
    if not one or not other:
        return CodeRelation.INCOMPARABLE
    if one == other:
        return CodeRelation.EQUAL if _scheme(one) is not _Scheme.OTHER or _tells(one) else CodeRelation.INCOMPARABLE
    schemes = {_scheme(one): one, _scheme(other): other}
    match sorted(schemes):
        case [_Scheme.ENTERPRISE] | [_Scheme.ORGANISATION] | [_Scheme.RESIDENT]:
            return CodeRelation.DIFFERENT
        case [_Scheme.ENTERPRISE, _Scheme.RESIDENT]:
            return CodeRelation.DIFFERENT
        case [_Scheme.ENTERPRISE, _Scheme.ORGANISATION]:
            same = schemes[_Scheme.ENTERPRISE][8:17] == schemes[_Scheme.ORGANISATION]
            return CodeRelation.HISTORIC if same else CodeRelation.DIFFERENT
        case [_Scheme.FIFTEEN_DIGITS, _Scheme.RESIDENT]:
            return _relate_to_former(schemes[_Scheme.RESIDENT], schemes[_Scheme.FIFTEEN_DIGITS])
    return CodeRelation.INCOMPARABLE


def _relate_to_former(number: str, former: str) -> CodeRelation:
    if same_resident_identity_number(number, former):
        return CodeRelation.HISTORIC
    whole = _holds(upgrade_resident_identity_number, former)
    return CodeRelation.DIFFERENT if whole else CodeRelation.INCOMPARABLE


def _scheme(code: str) -> _Scheme:
    if _holds(lambda text: parse_resident_identity_number(text, on=date.max), code):
        return _Scheme.RESIDENT
    if _holds(validate_unified_social_credit_code, code):
        return _Scheme.ENTERPRISE
    if _holds(normalise_organisation_code, code):
        return _Scheme.ORGANISATION
    if len(code) == 15 and code.isascii() and code.isdigit():
        return _Scheme.FIFTEEN_DIGITS
    return _Scheme.OTHER


def _tells(code: str) -> bool:
    """Whether a code of no known scheme (a passport, an old 注册号) tells anybody: not masked, and no 无 or ``/``."""
    readable = code.replace("(", "").replace(")", "").isalnum() and any(each.isdigit() for each in code)
    return readable and len(code) >= SHORTEST_CODE and _MASK not in code


def _holds(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except IdentifierError:
        return False
    return True


# addresses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """``place`` is the most local GB/T 2260 code that is known, None where none is; ``rest`` what follows it."""

    place: str | None
    rest: str = field(repr=False)

    @property
    def known(self) -> bool:
        """Whether anything is said beyond the county."""
        return bool(self.rest)


def address_form(text: str, region: str | None) -> Address:
    """The normal form of an address in a document that is about ``region`` (GB/T 2260, six digits or more).

    ``广东省广州市天河区示例路8号``, ``天河区示例路8號`` and ``示例路８号`` are the same in a document about 440106.
    """
    parted = _PARTING_SPACE.sub(_PARTED, _nfkc(text))
    rest = name_form(parted).translate(_SAME_IN_ADDRESSES).removeprefix(REGION_NAMES[PROVINCE])
    own = region[:6] if region else None
    city, rest = _taken_off(rest, _CITIES)
    context = city or (own[:4] + "00" if own else None)
    county, rest = _taken_off(rest, _COUNTIES_OF.get(context or "", {}))
    if county is None and city is None:
        county, rest = _taken_off(rest, _COUNTIES_NAMED_ONCE)
    if county is not None:
        return Address(county, rest)
    if city is not None and (own is None or own[:4] != city[:4]):
        return Address(city, rest)
    return Address(own, rest)


def places_apart(one: str | None, other: str | None) -> bool:
    """Whether two places are both known, and neither lies in the other."""
    if one is None or other is None:
        return False
    return not (_reach(one).startswith(_reach(other)) or _reach(other).startswith(_reach(one)))


def _reach(place: str) -> str:
    """The digits that everything inside the place begins with."""
    return place[:2] if place.endswith("0000") else place[:4] if place.endswith("00") else place


def _taken_off(text: str, names: dict[str, str]) -> tuple[str | None, str]:
    for name, code in names.items():
        if text.startswith(name):
            return code, text[len(name) :]
    return None, text


_CITIES = {name: code for code, name in REGION_NAMES.items() if code != PROVINCE and code.endswith("00")}
_COUNTIES = {code: name for code, name in REGION_NAMES.items() if not code.endswith("00")}
_COUNTIES_OF = {
    city: {name: code for code, name in _COUNTIES.items() if code[:4] == city[:4]} for city in _CITIES.values()
}
_COUNTIES_NAMED_ONCE = {
    name: code for code, name in _COUNTIES.items() if list(_COUNTIES.values()).count(name) == 1 and len(name) > 2
}
"""Counties that need no city before them to be known; ``城区`` is a word as well as a name."""
