"""Time stamps of checkpoints (RFC 3161): an authority that DIR names says when it was shown one."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .certificates import Certificate, verify_by_name
from .der import Der, der_whole
from .errors import NotProved, Refused
from .paths import TIME_STAMPING, Paths
from .sm2 import sm3
from .work import spend

MAX_TOKEN_BYTES: Final = 64 << 10
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_TIME: Final = re.compile(r"([0-9]{14})(?:\.[0-9]{1,9})?Z")
_DIGESTS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "2.16.840.1.101.3.4.2.1": lambda data: hashlib.sha256(data).digest(),
    "2.16.840.1.101.3.4.2.2": lambda data: hashlib.sha384(data).digest(),
    "2.16.840.1.101.3.4.2.3": lambda data: hashlib.sha512(data).digest(),
    "1.2.156.10197.1.401": sm3,
}
_RSA: Final = {
    "2.16.840.1.101.3.4.2.1": "1.2.840.113549.1.1.11",
    "2.16.840.1.101.3.4.2.2": "1.2.840.113549.1.1.12",
    "2.16.840.1.101.3.4.2.3": "1.2.840.113549.1.1.13",
}
"""What a signature is that names RSA alone and its digest beside it."""
_SM2: Final = frozenset({"1.2.156.10197.1.301", "1.2.156.10197.1.301.1"})


@dataclass(frozen=True)
class TimeStamp:
    """A token whose signature is right. Whether its ``signer`` may be believed is another question."""

    at: datetime
    signer: Certificate
    carried: tuple[bytes, ...]

    @classmethod
    def read(cls, token: bytes, text: bytes) -> "TimeStamp":
        """A TimeStampToken (§2.4.2) over ``text``. Raises ``Refused``, ``NotProved``."""
        if len(token) > MAX_TOKEN_BYTES:
            raise NotProved("a time stamp that is larger than is looked at")
        try:
            return cls._read(token, text)
        except (ValueError, IndexError):
            raise Refused("not a time stamp") from None

    @classmethod
    def _read(cls, token: bytes, text: bytes) -> "TimeStamp":
        kind, holder = der_whole(token).expect(0x30).children()
        _, _, enclosed, *more = holder.expect(0xA0).children()[0].expect(0x30).children()
        content_type, content_holder = enclosed.expect(0x30).children()
        content = content_holder.expect(0xA0).children()[0].expect(0x04).content
        carried = [each.raw for part in more[:-1] if part.tag == 0xA0 for each in part.children()]
        infos = more[-1].expect(0x31).children()
        if kind.oid() != _SIGNED_DATA or content_type.oid() != _TST_INFO or len(infos) != 1:
            raise Refused("not a time stamp")
        signer = _signed(infos[0].expect(0x30).children(), content, carried)
        _, _, imprint, _, at, *_ = der_whole(content).expect(0x30).children()
        method, digest = imprint.expect(0x30).children()
        if digest.expect(0x04).content != _digest(method, text):
            raise Refused("the time stamp is for something else")
        return cls(_moment(at.expect(0x18)), signer, tuple(carried))

    def require_authority(self, roots: Sequence[Certificate]) -> None:
        """That it leads to one of ``roots`` for time stamping; revocation is not asked. Raises ``Refused``,
        ``NotProved``.
        """
        if not TIME_STAMPING & (self.signer.purposes() or frozenset()):  # §2.3: it must be said
            raise Refused("the signer's certificate is not for time stamping")
        paths = Paths(roots, (), (), (), purposes=TIME_STAMPING)
        paths.require(self.signer, self.carried, self.at, revocation=False)


def _signed(fields: Sequence[Der], content: bytes, carried: Sequence[bytes]) -> Certificate:
    """Who signed ``content`` by the SignerInfo (RFC 5652 §5.3) of ``fields``. Raises ``Refused``, ``NotProved``."""
    _, named, method, attributes, algorithm, signature, *_ = fields
    said: dict[str, Der] = {}
    for attribute in attributes.expect(0xA0).children():
        name, values = attribute.expect(0x30).children()
        if name.oid() in said:
            raise Refused("a signed attribute of a time stamp stands twice")
        (said[name.oid()],) = values.expect(0x31).children()
    if _CONTENT_TYPE in said and said[_CONTENT_TYPE].oid() != _TST_INFO:
        raise Refused("not a time stamp")
    if _MESSAGE_DIGEST not in said or said[_MESSAGE_DIGEST].expect(0x04).content != _digest(method, content):
        raise Refused("the time stamp is not the one that was signed")
    signer = _named(named, carried)
    scheme = algorithm.expect(0x30).children()[0].oid()
    if scheme == "1.2.840.113549.1.1.1":
        scheme = _RSA.get(method.children()[0].oid(), scheme)
    message = b"\x31" + attributes.raw[1:]
    verify_by_name(
        "1.2.156.10197.1.501" if scheme in _SM2 else scheme, signer.spki, signature.expect(0x04).content, message
    )
    return signer


def _named(named: Der, carried: Sequence[bytes]) -> Certificate:
    if named.tag != 0x30:
        raise NotProved("a time stamp that names its signer by a key is not judged here")
    issuer, serial = named.children()
    for each in carried:
        certificate = Certificate.read(each)
        if (certificate.issuer, certificate.serial) == (issuer.raw, serial.content):
            return certificate
    raise NotProved("a time stamp without its signer's certificate is not judged here")


def _digest(method: Der, data: bytes) -> bytes:
    compute = _DIGESTS.get(method.expect(0x30).children()[0].oid())
    if compute is None:
        raise NotProved("a time stamp by a digest that is not judged here")
    spend("bytes", len(data))
    return compute(data)


def _moment(element: Der) -> datetime:
    """A GeneralizedTime, of which fractions of a second are left out."""
    match = _TIME.fullmatch(element.content.decode("ascii", "replace"))
    if match is None:
        raise Refused("the time of a time stamp cannot be read")
    return datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
