"""In the evidence room: a shop under 三零 whose contract was declined, sent anew, and signed."""

import base64
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import count

from gateway.contracts.service import ContractService
from gateway.crypto.jws import sign_jws
from gateway.identity.model import SessionStatus, VerificationSession, VerifiedApplicant
from gateway.records.entries import RecordEntry, digest
from schemas.contracts import ContractOffer, ContractStanding
from schemas.identity import VerificationMethod
from schemas.wire import Typ
from tests.support.evidence import AUDIENCE, IDENTITY_ISSUER, SESSION, EvidenceRoom
from tests.support.licences import SHOP, UTILITY, an_applicant
from tests.support.partners import ISSUER
from tests.support.storage import DIGESTS

WORDS = "低压供用电合同：供电人与用电人测试甲（糕饼店）"
"""In the document that is signed: whoever can guess it must not be able to try."""
DECLINED_FOR = "第三条我不同意"


class Shop:
    """One evidence room in which contracts are sent and signed.

    ``claimed`` stands in the assertion of the signature in place of what the identity provider would say.
    """

    def __init__(self, made: EvidenceRoom, **claimed: object) -> None:
        self.made, numbers = made, count(1)
        self.claimed, self.provider = claimed, made.keys.identity
        self.service = ContractService(
            made.room.transactions,
            made.room.clock,
            lambda kind: f"{kind}_c{next(numbers):04d}",
            DIGESTS,
            lambda: made.keys.answer,
            ISSUER,
        )

    async def live(self) -> None:
        """Apply, decline the first version, sign the second; all is delivered and anchored."""
        made = self.made
        assertion = made.assertion(an_applicant())
        facts = {"assertion_sha256": digest(assertion), "method": "e_licence"}
        entry = RecordEntry("identity.verified", made.room.clock(), "applicant", SESSION, facts=facts)
        await made.room.transactions.write(lambda tx: tx.records.append(entry))
        applicant = replace(an_applicant(), assertion=assertion, session_id=SESSION)
        made.application_id = (await made.room.apply(SHOP, applicant)).application.application_id
        first = await self.offered(1)
        await self.service.decline(made.application_id, applicant.holder_digest, first.contract_id, DECLINED_FOR)
        made.room.clock.advance(minutes=55)
        await self.signed(await self.offered(2))
        await made.delivered()
        await made.anchored()

    async def offered(self, version: int) -> ContractStanding:
        document = f"{WORDS}，第 {version} 版\n".encode()
        offer = ContractOffer(
            event_id=f"ctr-{version}",
            version=version,
            title="低压供用电合同",
            media_type="text/plain",
            content=base64.b64encode(document).decode(),
            sha256=sha256(document).hexdigest(),
            valid_until=self.made.room.clock() + timedelta(days=10),
        )
        return (await self.service.offer(UTILITY, self.made.application_id, offer))[0]

    async def signed(self, contract: ContractStanding) -> None:
        session = await self.verified(contract)
        self.made.room.clock.advance(minutes=2)
        await self.service.sign(self.made.application_id, session, contract.contract_id, contract.sha256)

    async def verified(self, contract: ContractStanding) -> VerificationSession:
        """A session whose assertion the identity provider signed for ``contract`` alone."""
        now, applicant = self.made.room.clock(), an_applicant()
        bound_to = await self.service.binding(self.made.application_id, applicant.holder_digest, contract.contract_id)
        nonce = f"secret.{bound_to}"
        return VerificationSession(
            session_id="ses_sign",
            applicant_kind=applicant.applicant_kind,
            method=VerificationMethod.E_LICENCE,
            state_digest="s",
            token_digest="t",
            nonce=nonce,
            code_verifier="v",
            opened_at=now,
            expires_at=now + timedelta(hours=2),
            status=SessionStatus.VERIFIED,
            applicant=applicant,
            assertion=self.assertion(applicant, nonce),
        )

    def assertion(self, applicant: VerifiedApplicant, nonce: str) -> str:
        now = int(self.made.room.clock().timestamp())
        claims = {
            "iss": IDENTITY_ISSUER,
            "sub": "pairwise-1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": nonce,
            "jti": "assertion-2",
            "amr": ["e_licence"],
            "person": {"name": applicant.person_name, "resident_identity_number": applicant.person_code},
            "enterprise": {"name": applicant.holder_name, "unified_social_credit_code": applicant.holder_code},
        }
        return sign_jws(claims | self.claimed, self.provider, Typ.IDENTITY_ASSERTION)
