"""What certificate extensions say, as far as paths and revocation need it. RFC 5280 §4.2.

Every function takes the value inside the extension's OCTET STRING and raises `DerMalformed` when it is not what the
standard says. Tolerated, because real certificates do it: defaults written out, and any TRUE but zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.certificates.x509.names import GeneralName, general_name, general_names
from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import DerMalformed

SUBJECT_KEY_ID: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
ALTERNATIVE_NAMES: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
NAME_CONSTRAINTS: Final = "2.5.29.30"
CRL_POINTS: Final = "2.5.29.31"
POLICIES: Final = "2.5.29.32"
POLICY_MAPPINGS: Final = "2.5.29.33"
AUTHORITY_KEY_ID: Final = "2.5.29.35"
POLICY_CONSTRAINTS: Final = "2.5.29.36"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
INHIBIT_ANY_POLICY: Final = "2.5.29.54"
AUTHORITY_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
OCSP_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"
OCSP_ACCESS: Final = "1.3.6.1.5.5.7.48.1"
ANY_POLICY: Final = "2.5.29.32.0"

DIGITAL_SIGNATURE: Final = 0
CONTENT_COMMITMENT: Final = 1
KEY_CERT_SIGN: Final = 5
CRL_SIGN: Final = 6

_URI: Final = 0x86
_MAX_SKIP: Final = 1 << 16
"""Counts of certificates in policy constraints above this are read as this: no path is that long."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: ``value`` is the content of its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """§4.2.1.9. ``path_length`` None when there is no limit; of one who is no CA it means nothing and is None."""

    ca: bool
    path_length: int | None


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """§4.2.1.3: the asserted bits by number."""

    bits: frozenset[int]

    @property
    def digital_signature(self) -> bool:
        """Whether the key may sign data."""
        return DIGITAL_SIGNATURE in self.bits

    @property
    def key_cert_sign(self) -> bool:
        """Whether the key may sign certificates."""
        return KEY_CERT_SIGN in self.bits

    @property
    def crl_sign(self) -> bool:
        """Whether the key may sign revocation lists."""
        return CRL_SIGN in self.bits


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """§4.2.1.10: the permitted and excluded subtrees. ``minimum`` and ``maximum`` are not used and refused."""

    permitted: tuple[GeneralName, ...]
    excluded: tuple[GeneralName, ...]


@dataclass(frozen=True, slots=True)
class PolicyConstraints:
    """§4.2.1.11: how many more certificates may follow before the rule holds; None where it is not stated."""

    require_explicit: int | None
    inhibit_mapping: int | None


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """§4.2.1.13, and the name part of §5.2.5. ``relative`` is an RDN's content; ``reasons`` None means all."""

    full_name: tuple[GeneralName, ...] | None = None
    relative: bytes | None = None
    reasons: frozenset[int] | None = None
    crl_issuer: tuple[GeneralName, ...] | None = None


def read_extensions(listing: Element) -> dict[str, Extension]:
    """The extensions by identifier of an Extensions SEQUENCE. Raises `DerMalformed`, also for one that comes twice."""
    found: dict[str, Extension] = {}
    for each in listing.expect(Tag.SEQUENCE).children():
        parts = each.expect(Tag.SEQUENCE).children()
        if not 2 <= len(parts) <= 3:
            raise DerMalformed(remedy="证书扩展结构不符合 X.509")
        oid = parts[0].oid()
        if oid in found:
            raise DerMalformed(remedy="证书扩展重复")
        critical = len(parts) == 3 and boolean(parts[1])
        found[oid] = Extension(oid, critical, parts[-1].octets())
    if not found:
        raise DerMalformed(remedy="证书扩展列表为空")
    return found


def boolean(element: Element) -> bool:
    """A BOOLEAN. DER allows only FF for true; others are seen and taken. Raises `DerMalformed`."""
    if len(element.content) != 1:
        raise DerMalformed(remedy="DER 布尔值长度不符")
    return element.expect(Tag.BOOLEAN).content != b"\x00"


def bit_numbers(element: Element) -> frozenset[int]:
    """The asserted bits of a BIT STRING of named bits, whatever its tag. Raises `DerMalformed`."""
    content = element.content
    if not 1 <= len(content) <= 9 or content[0] > 7 or (len(content) == 1 and content[0]):
        raise DerMalformed(remedy="DER 比特串结构不符")
    octets = content[1:]
    if octets and octets[-1] & ((1 << content[0]) - 1):
        raise DerMalformed(remedy="DER 比特串的填充位不为零")
    return frozenset(bit for bit in range(8 * len(octets)) if octets[bit // 8] & (0x80 >> bit % 8))


def basic_constraints(value: bytes) -> BasicConstraints:
    """See `BasicConstraints`."""
    fields = list(_sequence(value))
    ca = boolean(fields.pop(0)) if fields and fields[0].tag == Tag.BOOLEAN else False
    length = fields.pop(0).integer() if fields else None
    if fields or (length is not None and length < 0):
        raise DerMalformed(remedy="基本约束扩展结构不符")
    return BasicConstraints(ca, length if ca else None)


def key_usage(value: bytes) -> KeyUsage:
    """See `KeyUsage`."""
    return KeyUsage(bit_numbers(parse(value).expect(Tag.BIT_STRING)))


def purposes(value: bytes) -> frozenset[str]:
    """The object identifiers of extended key usage (§4.2.1.12), at least one."""
    found = frozenset(each.oid() for each in _sequence(value))
    if not found:
        raise DerMalformed(remedy="扩展密钥用途为空")
    return found


def subject_key_id(value: bytes) -> bytes:
    """§4.2.1.2."""
    return parse(value).octets()


def authority_key_id(value: bytes) -> bytes | None:
    """§4.2.1.1: the key identifier, None when issuer and serial alone are given."""
    return next((each.content for each in _sequence(value) if each.tag == 0x80), None)


def alternative_names(value: bytes) -> tuple[GeneralName, ...]:
    """§4.2.1.6."""
    return general_names(parse(value).expect(Tag.SEQUENCE).content)


def policies(value: bytes) -> frozenset[str]:
    """The policy identifiers of certificatePolicies (§4.2.1.4); qualifiers bind nobody and are not read."""
    found: set[str] = set()
    for each in _sequence(value):
        parts = each.expect(Tag.SEQUENCE).children()
        if not 1 <= len(parts) <= 2 or parts[0].oid() in found:
            raise DerMalformed(remedy="证书策略扩展结构不符")
        found.add(parts[0].oid())
    if not found:
        raise DerMalformed(remedy="证书策略扩展为空")
    return frozenset(found)


def policy_mappings(value: bytes) -> tuple[tuple[str, str], ...]:
    """(issuer's policy, subject's policy) pairs of §4.2.1.5, at least one; `PolicyWalk` refuses anyPolicy in one."""
    found = []
    for each in _sequence(value):
        parts = each.expect(Tag.SEQUENCE).children()
        if len(parts) != 2:
            raise DerMalformed(remedy="策略映射扩展结构不符")
        found.append((parts[0].oid(), parts[1].oid()))
    if not found:
        raise DerMalformed(remedy="策略映射扩展为空")
    return tuple(found)


def policy_constraints(value: bytes) -> PolicyConstraints:
    """See `PolicyConstraints`; an empty one is refused."""
    fields = {each.tag: _skip(each) for each in _sequence(value)}
    if not fields or not fields.keys() <= {0x80, 0x81}:
        raise DerMalformed(remedy="策略约束扩展结构不符")
    return PolicyConstraints(fields.get(0x80), fields.get(0x81))


def inhibit_any_policy(value: bytes) -> int:
    """§4.2.1.14."""
    return _skip(parse(value).expect(Tag.INTEGER))


def name_constraints(value: bytes) -> NameConstraints:
    """See `NameConstraints`; an empty one is refused."""
    fields = _sequence(value)
    tags = [each.tag for each in fields]
    if tags not in ([0xA0], [0xA1], [0xA0, 0xA1]):
        raise DerMalformed(remedy="名称约束扩展结构不符")
    trees = {each.tag: tuple(map(_subtree, each.children())) for each in fields}
    if not all(trees.values()):
        raise DerMalformed(remedy="名称约束扩展为空")
    return NameConstraints(trees.get(0xA0, ()), trees.get(0xA1, ()))


def distribution_points(value: bytes) -> tuple[DistributionPoint, ...]:
    """§4.2.1.13."""
    return tuple(_point(each.expect(Tag.SEQUENCE)) for each in _sequence(value))


def point_name(holder: Element) -> DistributionPoint:
    """The DistributionPointName inside its explicit [0]."""
    (choice,) = _exactly(holder.children(), 1)
    if choice.tag == 0xA0:
        return DistributionPoint(full_name=general_names(choice.content))
    if choice.tag == 0xA1:
        return DistributionPoint(relative=choice.content)
    raise DerMalformed(remedy="分发点名称结构不符")


def access_addresses(value: bytes, method: str) -> tuple[str, ...]:
    """The URIs for ``method`` in authorityInfoAccess (§4.2.2.1)."""
    found = []
    for each in _sequence(value):
        oid, location = _exactly(each.expect(Tag.SEQUENCE).children(), 2)
        if oid.oid() == method and location.tag == _URI and location.content.isascii():
            found.append(location.content.decode("ascii"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PathExtensions:
    """The extensions that path validation processes, each None (or empty) when absent."""

    basic_constraints: BasicConstraints | None = None
    key_usage: KeyUsage | None = None
    purposes: frozenset[str] | None = None
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    alternative_names: tuple[GeneralName, ...] = ()
    name_constraints: NameConstraints | None = None
    policies: frozenset[str] | None = None
    policy_mappings: tuple[tuple[str, str], ...] = ()
    policy_constraints: PolicyConstraints | None = None
    inhibit_any_policy: int | None = None

    @classmethod
    def read(cls, found: Mapping[str, Extension]) -> "PathExtensions":
        """All of them, so that a malformed one is known at once. Raises `DerMalformed`."""
        # A table cannot tell the type checker that each field stands beside the reader of its own type.
        return cls(**{field: read(found[oid].value) for oid, (field, read) in _READERS.items() if oid in found})  # type: ignore[arg-type]


_READERS: Final = {
    BASIC_CONSTRAINTS: ("basic_constraints", basic_constraints),
    KEY_USAGE: ("key_usage", key_usage),
    EXTENDED_KEY_USAGE: ("purposes", purposes),
    SUBJECT_KEY_ID: ("subject_key_id", subject_key_id),
    AUTHORITY_KEY_ID: ("authority_key_id", authority_key_id),
    ALTERNATIVE_NAMES: ("alternative_names", alternative_names),
    NAME_CONSTRAINTS: ("name_constraints", name_constraints),
    POLICIES: ("policies", policies),
    POLICY_MAPPINGS: ("policy_mappings", policy_mappings),
    POLICY_CONSTRAINTS: ("policy_constraints", policy_constraints),
    INHIBIT_ANY_POLICY: ("inhibit_any_policy", inhibit_any_policy),
}


def _sequence(value: bytes) -> tuple[Element, ...]:
    return parse(value).expect(Tag.SEQUENCE).children()


def _skip(element: Element) -> int:
    count = Element(Tag.INTEGER, element.content, element.raw).integer()
    if count < 0:
        raise DerMalformed(remedy="策略约束的数值为负")
    return min(count, _MAX_SKIP)


def _subtree(element: Element) -> GeneralName:
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) == 2 and parts[1].tag == 0x80 and parts[1].content == b"\x00":
        parts = parts[:1]
    (base,) = _exactly(parts, 1)
    return general_name(base)


def _point(element: Element) -> DistributionPoint:
    fields = {each.tag: each for each in element.children()}
    name = point_name(fields[0xA0]) if 0xA0 in fields else DistributionPoint()
    reasons = bit_numbers(fields[0x81]) if 0x81 in fields else None
    issuer = general_names(fields[0xA2].content) if 0xA2 in fields else None
    return DistributionPoint(name.full_name, name.relative, reasons, issuer)


def _exactly(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="证书扩展结构不符合 X.509")
    return elements
