"""A certificate as of then: its seal, the path of the seal, and what was known of its standing."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws
from ..paths import Paths
from ..reading import instant_of, sha256_hex, text_of, texts_of, told
from ..texts import PROVED
from .seals import sealed, status_file
from .standing import require_dates, require_entitled, require_standing


def prove_certificate(examined: Examination, judgement: Mapping[str, Any], name: str, others: Sequence[bytes]) -> None:
    """That the certificate in the file ``name`` was valid when it was judged. Raises ``Refused``, ``NotProved``."""
    at, envelope = instant_of(judgement, "judged_at"), examined.files[name]
    if sha256_hex(envelope) != judgement["envelope_sha256"]:
        raise Refused("the envelope is not the one whose digest was recorded")
    if not name.endswith(".jws"):
        raise NotProved("the seals of an OFD document are not checked by this verifier; only its digest is")
    crls = [status_file(examined, each, "crl") for each in texts_of(judgement, "crls")]
    ocsp = [status_file(examined, each, "ocsp") for each in texts_of(judgement, "ocsp")]
    paths = Paths(examined.anchors.roots, others, crls, ocsp)
    token = Jws.read(envelope, "ecert+jwt", x5c=True)
    leaf, path = sealed(token, paths, at)
    claims = token.claims()
    metadata = claims.get("certificate")
    if not isinstance(metadata, dict) or claims.get("iss") != leaf.attribute("2.5.4.97"):
        raise Refused("the seal is not that of the authority that the certificate names")
    if metadata.get("ZZBFJGDM") != claims["iss"]:
        raise Refused("the seal is not that of the authority that the certificate names")
    require_dates(metadata, at)
    kind = text_of(judgement, "kind")
    require_entitled(examined, str(claims["iss"]), kind, path[1], at)
    require_standing(examined, claims, judgement, paths, kind, at)
    examined.say(PROVED, "certificate", name, kind=kind, title=str(metadata.get("ZZMC")), at=told(at))
