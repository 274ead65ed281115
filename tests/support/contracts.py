"""Supply contracts over a real database: a utility, an applicant at low voltage, verifications for their contract."""

import base64
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from gateway.applications.customer_classes import ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.stages import Stage
from gateway.contracts.service import ContractService
from gateway.crypto.jwk import SigningKey
from gateway.identity.model import SessionStatus, VerificationSession
from schemas.contracts import ContractOffer, ContractStanding
from schemas.identity import ApplicantKind, VerificationMethod
from tests.support.approvals import UTILITY, ApprovalsRoom, a_small_application, approvals_room, the_applicant
from tests.support.partners import ISSUER, es256_key
from tests.support.storage import DIGESTS, NOON

HOLDER = "0" * 64
A_PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
SECRET_REASON = "条款第三条我不同意"


def a_zero_application(application_id: str = "app_1", **changes: Any) -> GridConnectionApplication:
    """A shop under 三零: its class has 受理签约."""
    own: dict[str, Any] = {
        "derivation": ClassDerivation(CustomerClass.LV_ZERO, "附件2", "三零"),
        "lifecycle": Lifecycle(CustomerClass.LV_ZERO, NOON - timedelta(days=2)),
    }
    return a_small_application(application_id, **(own | changes))


def an_offer(content: bytes = A_PDF, **changes: Any) -> ContractOffer:
    own: dict[str, Any] = {
        "event_id": "ev-1",
        "version": 1,
        "title": "低压供用电合同",
        "media_type": "application/pdf",
        "content": base64.b64encode(content).decode(),
        "sha256": sha256(content).hexdigest(),
        "valid_until": NOON + timedelta(days=10),
    }
    return ContractOffer.model_validate(own | changes)


@dataclass
class ContractsRoom:
    approvals: ApprovalsRoom
    service: ContractService
    key: SigningKey

    async def offered(self, **changes: Any) -> ContractStanding:
        return (await self.service.offer(UTILITY, "app_1", an_offer(**changes)))[0]

    async def verified(self, contract: ContractStanding, **changes: Any) -> VerificationSession:
        """A session as the identity room keeps it, whose nonce names ``contract``."""
        bound_to = await self.service.binding("app_1", HOLDER, contract.contract_id)
        now = self.approvals.clock()
        session = VerificationSession(
            session_id="ses_1",
            applicant_kind=ApplicantKind.ENTERPRISE,
            method=VerificationMethod.E_LICENCE,
            state_digest="s",
            token_digest="t",
            nonce=f"secret.{bound_to}",
            code_verifier="v",
            opened_at=now,
            expires_at=now + timedelta(hours=2),
            status=SessionStatus.VERIFIED,
            applicant=the_applicant(),
            assertion="signed.by.provider",
        )
        return replace(session, **changes)

    async def happens(
        self, action: StageAction, stage: Stage | None = Stage.SIGN_UP, reason: str | None = None
    ) -> None:
        at = self.approvals.clock()

        def step(tx: Any) -> None:
            application = tx.applications.find_for_change("app_1")
            lifecycle = apply(application.lifecycle, StageEvent(action, at, stage, reason), at)
            tx.applications.put_lifecycle("app_1", lifecycle)

        await self.approvals.transactions.write(step)


@contextmanager
def contracts_room(database_url: str) -> Iterator[ContractsRoom]:
    key, numbers = es256_key("answer-1"), itertools.count(1)
    with approvals_room(database_url) as approvals:
        service = ContractService(
            approvals.transactions,
            approvals.clock,
            lambda kind: f"{kind}_{next(numbers):04d}",
            DIGESTS,
            lambda: key,
            ISSUER,
        )
        yield ContractsRoom(approvals, service, key)
