"""How an agreement comes into force: draft → test → approved → live (active), and who may take which step. Pure.

The four-eyes rule (双人复核): whoever approves has neither drafted nor tested it. It binds officers, who are persons.
A roster, a command of the machine and the operators' interface bring an agreement into force in one step, as one
actor, and the record names that actor.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from gateway.errors import Owner
from gateway.partners.errors import SecondPersonRequired, conflict
from gateway.partners.model import AgreementStatus, SharingAgreement

_S = AgreementStatus
OFFICER: Final = "officer:"
"""How actors begin that are persons of the console."""


class AgreementStep(StrEnum):
    """What can be done with an agreement. ``SEND_BACK`` undoes test and approval; ``FORCE`` is the one step."""

    TEST = "test"
    APPROVE = "approve"
    GO_LIVE = "go_live"
    SEND_BACK = "send_back"
    FORCE = "force"
    END = "end"


_FROM: Final = {
    AgreementStep.TEST: frozenset({_S.DRAFT}),
    AgreementStep.APPROVE: frozenset({_S.TEST}),
    AgreementStep.GO_LIVE: frozenset({_S.APPROVED}),
    AgreementStep.SEND_BACK: frozenset({_S.TEST, _S.APPROVED}),
    AgreementStep.FORCE: frozenset({_S.DRAFT, _S.TEST, _S.APPROVED, _S.ACTIVE}),
    AgreementStep.END: frozenset(_S),
}
"""To end what has ended, and to bring into force what is, changes nothing and is no error."""


def open_steps(agreement: SharingAgreement, actor: str) -> tuple[AgreementStep, ...]:
    """What ``actor``, an officer, may do with it now; ending what has ended is not offered."""
    offered = []
    for step in (AgreementStep.TEST, AgreementStep.APPROVE, AgreementStep.GO_LIVE, AgreementStep.SEND_BACK):
        own = step is AgreementStep.APPROVE and actor in (agreement.drafted_by, agreement.tested_by)
        if agreement.status in _FROM[step] and not own:
            offered.append(step)
    return (*offered, *([AgreementStep.END] if agreement.status is not _S.ENDED else []))


def advanced(agreement: SharingAgreement, step: AgreementStep, actor: str) -> SharingAgreement:
    """The agreement after ``step`` by ``actor``.

    Raises ``PartnerConflict`` where the step does not follow on where it stands, ``SecondPersonRequired``.
    """
    if agreement.status is _S.ENDED and step is not AgreementStep.END:
        raise conflict("agreement_ended", "已终止的协议不能恢复，请另立新协议")
    if agreement.status not in _FROM[step] or (step is AgreementStep.FORCE and actor.startswith(OFFICER)):
        raise conflict("agreement_step", "协议现处的状态不允许此操作，请刷新后再看")
    match step:
        case AgreementStep.TEST:
            return replace(agreement, status=_S.TEST, tested_by=actor)
        case AgreementStep.APPROVE:
            if actor in (agreement.drafted_by, agreement.tested_by):
                raise SecondPersonRequired(
                    check="agreement.second_person",
                    owner=Owner.CALLER,
                    remedy="起草或提交联调的人不能批准同一份协议，请由另一位工作人员批准",
                )
            return replace(agreement, status=_S.APPROVED, approved_by=actor)
        case AgreementStep.SEND_BACK:
            return replace(agreement, status=_S.DRAFT, tested_by=None, approved_by=None)
        case AgreementStep.FORCE if agreement.status is _S.ACTIVE:
            return agreement
        case AgreementStep.GO_LIVE | AgreementStep.FORCE:
            return replace(agreement, status=_S.ACTIVE, activated_by=actor)
        case AgreementStep.END:
            return replace(agreement, status=_S.ENDED)
