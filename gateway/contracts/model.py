"""A supply contract and its states. Pure.

offered → signed | declined | signed_on_paper | replaced; an offer whose time is over is *expired*.
The electronic contract is one way of several (第（五）条 “推行”): 用户有权自主选择线上线下渠道, so nobody has
to sign here, and no stage waits for it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from gateway.applications.errors import ApplicationClosed
from gateway.applications.lifecycle import StageStatus
from gateway.applications.model import GridConnectionApplication
from gateway.applications.stages import Stage, stages_of
from gateway.contracts.errors import ContractNotInClass, ContractNotOpen
from gateway.errors import Owner
from gateway.wording.phrases import Phrase, listed

CLAUSE: Final = "第（六）条"
CHANNEL_CLAUSE: Final = "第（五）条"
"""推行低压用户供用电合同电子化；用户有权自主选择线上线下办理渠道."""


class ContractState(StrEnum):
    """Where a contract stands; the wire uses the same words."""

    OFFERED = "offered"
    SIGNED = "signed"
    DECLINED = "declined"
    SIGNED_ON_PAPER = "signed_on_paper"
    REPLACED = "replaced"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Contract:
    """One version of the contract of an application; ``valid_until`` is exclusive.

    Its document rests beside it; ``document_kept`` is False once that was erased, and ``assertion`` (what the identity
    provider signed) and ``reason`` (why it was declined) with it. ``statement`` is the gateway's counter-signed JWS.
    """

    contract_id: str
    application_id: str
    utility: str
    version: int
    title: str
    media_type: str
    sha256: str
    offered_at: datetime
    valid_until: datetime
    event_id: str
    content_digest: str
    record_id: str
    state: ContractState = ContractState.OFFERED
    settled_at: datetime | None = None
    statement: str | None = None
    assertion: str | None = field(default=None, repr=False)
    reason: str | None = field(default=None, repr=False)
    document_kept: bool = True

    def state_at(self, now: datetime) -> ContractState:
        """The state as it shows at ``now``: an offer that has run out is expired."""
        if self.state is ContractState.OFFERED and now >= self.valid_until:
            return ContractState.EXPIRED
        return self.state

    @property
    def subject_sha256(self) -> str:
        """What a signature is bound to: this document as this version of the contract of this application."""
        parts = ("bandian-contract", self.application_id, self.contract_id, str(self.version), self.sha256)
        return sha256("\0".join(parts).encode()).hexdigest()

    def settled(self, state: ContractState, at: datetime, **values: str | None) -> "Contract":
        """The contract in its last state."""
        return replace(self, state=state, settled_at=at, **values)  # type: ignore[arg-type]


def require_signing_stage(application: GridConnectionApplication, owner: Owner) -> None:
    """A contract is offered and signed while 受理签约 is not yet completed (第（三）条: nothing is made up afterwards).

    Raises ``ContractNotInClass``, ``ApplicationClosed``, ``ContractNotOpen``.
    """
    lifecycle = application.lifecycle
    if Stage.SIGN_UP not in stages_of(lifecycle.customer_class):
        existing = listed((Phrase(stage.chinese_title) for stage in stages_of(lifecycle.customer_class)), " → ")
        raise ContractNotInClass(
            check="contract.class",
            owner=Owner.UTILITY,
            remedy=Phrase(
                "{customer_class}只有以下环节：{existing}；没有受理签约，不在此签订合同",
                customer_class=Phrase(lifecycle.customer_class.chinese_title),
                existing=existing,
            ),
            clause=CLAUSE,
        )
    if lifecycle.closed_at is not None:
        raise ApplicationClosed(check="application.closed", owner=owner, remedy="申请已终结", clause="第（三）条")
    stage = next(each for each in lifecycle.progress() if each.stage is Stage.SIGN_UP)
    if stage.status is StageStatus.COMPLETED:
        raise ContractNotOpen(
            check="contract.stage_over", owner=owner, remedy="受理签约环节已办结，不得后补", clause="第（三）条"
        )


def require_open(contract: Contract, now: datetime, owner: Owner) -> None:
    """Raises ``ContractNotOpen`` unless it can still be signed or declined."""
    state = contract.state_at(now)
    if state is not ContractState.OFFERED:
        raise ContractNotOpen(check=f"contract.{state}", owner=owner, remedy=_REMEDIES[state])


_REMEDIES: Final = {
    ContractState.SIGNED: "合同已签订，无需再次操作",
    ContractState.DECLINED: "申请人已表示不签；请供电企业另发合同，或改用纸质合同",
    ContractState.SIGNED_ON_PAPER: "合同已在纸面签订，无需再签",
    ContractState.REPLACED: "供电企业已另发新的一版，请查看新版",
    ContractState.EXPIRED: "合同已过签订期限，请供电企业重新发送，或改用纸质合同",
}
