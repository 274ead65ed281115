"""A certificate as of then: its seal, the path of the seal, and what was known of its standing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..certificates import Certificate
from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws
from ..ofd.document import licence_date, read_document
from ..paths import Paths
from ..reading import SKEW, instant_of, sha256_hex, text_of, texts_of, told
from ..texts import PROVED, UNKNOWN
from ..work import once
from .seals import sealed, status_file
from .standing import require_dates, require_entitled, require_kind, require_standing


def prove_certificate(examined: Examination, judgement: Mapping[str, Any], name: str, others: Sequence[bytes]) -> None:
    """That the certificate in the file ``name`` was valid when it was judged. Raises ``Refused``, ``NotProved``."""
    at, envelope = instant_of(judgement, "judged_at"), examined.files[name]
    if sha256_hex(envelope) != judgement["envelope_sha256"]:
        raise Refused("the envelope is not the one whose digest was recorded")
    crls, ocsp = (
        [status_file(examined, each, suffix) for each in dict.fromkeys(texts_of(judgement, member))]
        for member, suffix in (("crls", "crl"), ("ocsp", "ocsp"))
    )
    paths = Paths(examined.anchors.roots, others, crls, ocsp)
    opened = _of_jws(envelope, paths, at) if name.endswith(".jws") else _of_ofd(envelope, paths, at)
    if opened.authority != opened.signer.attribute("2.5.4.97") or opened.metadata.get("ZZBFJGDM") != opened.authority:
        raise Refused("the seal is not that of the authority that the certificate names")
    require_dates(opened.metadata, at)
    kind = text_of(judgement, "kind")
    require_kind(examined, opened.metadata, kind)
    require_entitled(examined, opened.authority, kind, opened.path[1], at)
    require_standing(examined, opened.claims, judgement, paths, kind, at)
    if examined.holders and examined.holders.isdisjoint(str(opened.metadata.get("CZZTDM")).split("、")):
        examined.say(UNKNOWN, "certificate.holder", name, kind=kind)
    examined.say(PROVED, "certificate", name, kind=kind, title=str(opened.metadata.get("ZZMC")), at=told(at))


@dataclass(frozen=True)
class _Opened:
    """A certificate whose seal is proved. ``authority`` is whom it names as its issuer."""

    authority: str
    signer: Certificate
    path: Sequence[Certificate]
    metadata: Mapping[str, Any]
    claims: Mapping[str, Any]


def _of_jws(envelope: bytes, paths: Paths, at: datetime) -> _Opened:
    token = Jws.read(envelope, "ecert+jwt", x5c=True)
    signer, path = sealed(token, paths, at)
    claims = token.claims()
    metadata, authority = claims.get("certificate"), claims.get("iss")
    if not isinstance(metadata, dict) or not isinstance(authority, str):
        raise Refused("the seal is not that of the authority that the certificate names")
    return _Opened(authority, signer, path, metadata, claims)


def _of_ofd(envelope: bytes, paths: Paths, at: datetime) -> _Opened:
    """The signer's dates count when it sealed, the maker's when it made the seal; revocation as of then."""
    document = once(("document", sha256_hex(envelope)), lambda: read_document(envelope))
    value, seal = document.value, document.value.seal
    if value.signed_at > at + SKEW:
        raise Refused("it was sealed later than it was judged")
    signer = value.signature.certificate
    path = paths.require(signer, (), at, value.signed_at)
    paths.require(seal.made.certificate, (), at, seal.made_at)
    if len(path) < 2:
        raise NotProved("the seal is an anchor itself")
    fields = document.fields()
    ends = fields.get("ZZYXQJZRQ")
    dates = {
        "ZZYXQQSRQ": licence_date(fields.get("ZZYXQQSRQ", "")),
        "ZZYXQJZRQ": licence_date(ends, ends=True) or "" if ends is not None else None,
    }
    claims = {"iss": fields.get("ZZBFJGDM"), "status": _status(fields)}
    return _Opened(str(claims["iss"]), signer, path, {**fields, **dates}, claims)


def _status(fields: Mapping[str, str]) -> Mapping[str, Any] | None:
    uri, index = fields.get("x_ZTLB_URI"), fields.get("x_ZTLB_IDX")
    if uri is None and index is None:
        return None
    if uri is None or index is None or not re.fullmatch(r"0|[1-9][0-9]{0,9}", index):
        raise Refused("its place in the status list cannot be read")
    return {"status_list": {"uri": uri, "idx": int(index)}}
