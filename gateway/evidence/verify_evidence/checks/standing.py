"""What a certificate says of its own time, who may issue it, and what its status list said."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..certificates import Certificate
from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws
from ..paths import Paths
from ..reading import SKEW, epoch, number_of, sha256_hex, text_of
from ..revocation import status_at
from .seals import sealed, status_file

MAX_STATUS_AGE: Final = timedelta(days=1)


def require_dates(metadata: Mapping[str, Any], at: datetime) -> None:
    """Its own dates, by the day in China. Raises ``Refused``."""
    on = (at + timedelta(hours=8)).date().isoformat()
    begins, ends = metadata.get("ZZYXQQSRQ"), metadata.get("ZZYXQJZRQ")
    if not isinstance(begins, str) or not (ends is None or isinstance(ends, str)):
        raise Refused("its dates cannot be read")
    if on < begins or (ends is not None and on > ends):
        raise Refused("it was not within its own dates")


def require_kind(examined: Examination, metadata: Mapping[str, Any], kind: str) -> None:
    """By its 证照类型代码 and ``kinds.json``: who may issue several kinds does not issue one as another.

    Raises ``Refused``, ``NotProved``.
    """
    codes = (examined.anchors.kinds or {}).get(kind)
    if codes is None:
        raise NotProved("DIR has no kinds.json that says under which codes this kind is issued")
    if metadata.get("ZZLXDM") not in codes:
        raise Refused("it is a certificate of another kind")


def require_entitled(examined: Examination, authority: str, kind: str, issuing_ca: Certificate, at: datetime) -> None:
    """By ``issuers.json``, on the day in China. Raises ``Refused``, ``NotProved``."""
    if examined.anchors.issuers is None:
        raise NotProved("DIR has no issuers.json: whether this authority may issue it is not known")
    on = (at + timedelta(hours=8)).date().isoformat()
    own = [
        each
        for each in examined.anchors.issuers
        if each.get("authority_code") == authority
        and kind in (each.get("kinds") or ())
        and (each.get("from") or "") <= on <= (each.get("to") or "9999-12-31")
    ]
    if not own:
        raise Refused("issuers.json does not entitle this authority")
    pins = [[pin] if isinstance(pin, str) else pin for each in own if (pin := each.get("issuing_ca")) is not None]
    if pins and not any(sha256_hex(issuing_ca.spki) in pin for pin in pins):
        raise Refused("the seal is certified by another CA than issuers.json pins")


def require_standing(
    examined: Examination,
    claims: Mapping[str, Any],
    judgement: Mapping[str, Any],
    paths: Paths,
    kind: str,
    at: datetime,
) -> None:
    """By the status list of then (draft-ietf-oauth-status-list). Raises ``Refused``, ``NotProved``."""
    status = claims.get("status")
    reference = status.get("status_list") if isinstance(status, dict) else None
    lists = judgement.get("status_lists")
    if not isinstance(reference, dict) or not isinstance(lists, dict):
        raise NotProved("it names no status list")
    uri, index = text_of(reference, "uri"), number_of(reference, "idx")
    if uri not in lists:
        raise NotProved("the status list that it names is not in the bundle")
    token = Jws.read(status_file(examined, str(lists[uri]), "jwt"), "statuslist+jwt", x5c=True)
    signer, path = sealed(token, paths, at)
    said = token.claims()
    if said.get("sub") != uri:
        raise Refused("the status list is another one")
    issued = epoch(said.get("iat"))
    if not issued - SKEW <= at or (said.get("exp") is not None and at > epoch(said["exp"])):
        raise NotProved("the status list is not of that time")
    if at - issued > MAX_STATUS_AGE:
        raise NotProved("the status list was older than a day then")
    authority = signer.attribute("2.5.4.97") or ""
    try:
        require_entitled(examined, authority, "status_list", path[1], at)
    except Refused:
        if authority != claims.get("iss"):
            raise
        require_entitled(examined, authority, kind, path[1], at)
    listed = said.get("status_list")
    if not isinstance(listed, dict) or status_at(listed, index) != 0:
        raise Refused("the status list said that it is revoked or suspended")
