"""An authorisation, and whether it covers what is asked. Pure."""

from dataclasses import dataclass
from datetime import datetime

from gateway.authorisations.errors import AuthorisationMissing
from gateway.errors import Owner


@dataclass(frozen=True)
class Authorisation:
    """用户授权: ``utility`` may obtain ``kinds`` for ``application_id`` for ``purposes`` until ``until`` (exclusive).

    ``holder_digest`` is the keyed digest of whose data it is; ``statement_digest`` SHA-256 of the text agreed to.
    ``purge_receipt`` is what the utility signed after a withdrawal: that it purged, at ``purged_at``.
    """

    authorisation_id: str
    application_id: str
    utility: str
    kinds: frozenset[str]
    purposes: frozenset[str]
    holder_digest: str
    statement_digest: str
    granted_at: datetime
    until: datetime
    withdrawn_at: datetime | None = None
    purged_at: datetime | None = None
    purge_heard_at: datetime | None = None
    purge_receipt: str | None = None


def require_covers(
    authorisation: Authorisation | None, utility: str, kind: str, purpose: str, at: datetime
) -> Authorisation:
    """The authorisation, if it lets ``utility`` have ``kind`` for ``purpose`` at ``at``; no authorisation is a no.

    Raises ``AuthorisationMissing`` naming what it lacks.
    """
    if authorisation is None or authorisation.utility != utility:
        raise _missing("absent", "申请人未授权本单位，请由申请人在线授权")
    if authorisation.withdrawn_at is not None:
        raise _missing("withdrawn", "申请人已撤回授权，请停止使用并清除已获取的信息")
    if at >= authorisation.until:
        raise _missing("expired", "授权已到期，请由申请人重新授权")
    if kind not in authorisation.kinds:
        raise _missing("kind", "申请人的授权不包含该证照")
    if purpose not in authorisation.purposes:
        raise _missing("purpose", "申请人的授权不包含该用途")
    return authorisation


def _missing(check: str, remedy: str) -> AuthorisationMissing:
    return AuthorisationMissing(check=f"authorisation.{check}", owner=Owner.APPLICANT, remedy=remedy)
