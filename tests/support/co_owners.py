"""A property that an applicant owns with somebody else, and that other owner, verified as a resident."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from gateway.certificates.registry import KindRegistry
from gateway.crypto.keyed_digest import Use
from gateway.identity.model import VerifiedApplicant
from gateway.progress.named_accesses import NamedAccessService
from gateway.retention.policies import shown_to_others
from schemas.applicant_api import NamedAccess
from schemas.identifiers import make_resident_identity_number
from schemas.identity import ApplicantKind, VerificationMethod
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import NAME, LicencesRoom, an_applicant, province
from tests.support.retention import PERIODS
from tests.support.storage import DIGESTS

RIGHT = "property_certificate"
RIGHT_NUMBER = "粤(2024)广州市不动产权第0000001号"
CO_OWNER, STRANGER = "测试乙", "测试丙"
CO_OWNER_CODE = make_resident_identity_number("110101", date(1949, 12, 31), 1)
STRANGER_CODE = make_resident_identity_number("110101", date(1949, 12, 31), 3)


def a_resident(name: str, code: str) -> VerifiedApplicant:
    return replace(
        an_applicant(),
        applicant_kind=ApplicantKind.RESIDENT,
        method=VerificationMethod.FACE,
        holder_name=name,
        holder_code=code,
        person_name=name,
        person_code=code,
        role=None,
        holder_digest=DIGESTS.of(Use.HOLDER, code),
    )


def shared(*others: tuple[str, str], **said: Any) -> bytes:
    """A property certificate of the applicant and ``others`` (name, code)."""
    names = "、".join([NAME, *(name for name, _ in others)])
    codes = "、".join([ENTERPRISE, *(code for _, code in others)])
    own: dict[str, Any] = {
        "CZZT": names,
        "CZZTDM": codes,
        "KZ_QLR": names,
        "KZ_QLRZJH": codes,
        "KZ_BDCQZH": RIGHT_NUMBER,
        "KZ_GYQK": "共同共有",
    }
    return province().envelope(RIGHT, **(own | said))


def hold_shared(room: LicencesRoom, **said: Any) -> None:
    room.source.hold(RIGHT, shared((CO_OWNER, CO_OWNER_CODE), **said))


async def seen_by(
    room: LicencesRoom, name: str = CO_OWNER, code: str = CO_OWNER_CODE, shown_for: timedelta | None = None
) -> list[NamedAccess]:
    """What the person's page lists."""
    service = NamedAccessService(
        room.transactions, KindRegistry.discover(), DIGESTS, shown_for or shown_to_others(PERIODS), room.clock
    )
    return (await service.of(a_resident(name, code))).accesses
