"""设计单位 and 施工单位: the utility names whose qualification it wants, and each application may ask for a few.

Their codes are public and their certificates are not the applicant's. Without a bound, one open application would let
its utility look up any company, so the first few holders asked for are the ones that belong to it.
"""

from datetime import datetime

from gateway.applications.requirements import Document
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.errors import Owner
from gateway.licences.errors import HolderNotAllowed, HolderNotNamed, ThirdPartyRefused
from gateway.licences.ports import LicencesTransaction
from gateway.wording.phrases import Phrase
from schemas.identifiers import IdentifierError, validate_unified_social_credit_code

THIRD_PARTY_KINDS = frozenset({Document.DESIGN_QUALIFICATION.value, Document.CONSTRUCTION_QUALIFICATION.value})
"""Held by the 设计单位 or 施工单位 that the utility names, not by the applicant."""
MOST_ASKED = 3
"""Different holders of one kind that one application may ask for: a mistyped code and a change of company are in it."""


def require_holder(kind: str, holder_code: str | None) -> None:
    """A third party's kind names its holder, and no other does. Raises ``HolderNotNamed``, ``HolderNotAllowed``."""
    if kind in THIRD_PARTY_KINDS:
        try:
            validate_unified_social_credit_code(holder_code or "")
        except IdentifierError:
            raise HolderNotNamed(
                check="licence.holder",
                owner=Owner.UTILITY,
                remedy="请以 holder_code 指明设计或施工单位的统一社会信用代码（18 位）",
            ) from None
    elif holder_code is not None:
        raise HolderNotAllowed(
            check="licence.holder", owner=Owner.UTILITY, remedy="该证照只能是申请人本人的，请勿指定持证主体"
        )


def bind_third_party(tx: LicencesTransaction, application_id: str, kind: str, holder_digest: str, at: datetime) -> None:
    """Let the application ask for this holder, now and later. Raises ``ThirdPartyRefused`` past ``MOST_ASKED``."""
    tx.applications.find_for_change(application_id)  # two requests at once count one after the other
    asked = tx.asked_holders.of(application_id, kind)
    if holder_digest in asked:
        return
    if len(asked) >= MOST_ASKED:
        raise third_party_refused()
    tx.asked_holders.add(application_id, kind, holder_digest, at)


def their_certificate(verifications: tuple[Verification, ...]) -> Verification:
    """The one valid certificate, or the only one there is. Raises ``ThirdPartyRefused`` where that is ambiguous."""
    valid = tuple(each for each in verifications if each.verdict is Verdict.VALID)
    standing = valid or verifications
    if len(standing) != 1:
        raise third_party_refused()
    return standing[0]


def third_party_refused() -> ThirdPartyRefused:
    """The one refusal for whatever cannot be told."""
    return ThirdPartyRefused(
        check="licence.third_party",
        owner=Owner.UTILITY,
        remedy=Phrase(
            "请与申请人核对设计或施工单位的统一社会信用代码；每件申请每类资质最多可查询 {most} 个单位", most=MOST_ASKED
        ),
    )
