"""供用电合同电子化: offered by the utility, read and signed or declined by the applicant, told to the utility.

1. The utility offers a version; an open one before it is replaced. Its document rests sealed.
2. The applicant reads it, is verified anew for it alone (``signing``), and signs: state, statement, record entry and
   the event to the utility are one commit. Or declines it, and the utility reads why.
3. Whoever signs on paper is as well served (第（五）条): the utility says so, and nothing here waits for a signature.
"""

from datetime import datetime, timedelta
from typing import Final

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.model import GridConnectionApplication
from gateway.clock import Clock
from gateway.contracts.documents import read_document
from gateway.contracts.errors import ContractContradicts, ContractDocumentMalformed, ContractUnknown
from gateway.contracts.model import Contract, ContractState, require_open, require_signing_stage
from gateway.contracts.ports import ContractsTransaction
from gateway.contracts.signing import require_fresh, signed_statement
from gateway.contracts.views import standing_of
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.identity.model import VerificationSession
from gateway.ids import MakeId
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase
from schemas.contracts import ContractDeclined, ContractOffer, ContractOnPaper, ContractSigned, ContractStanding
from schemas.events import EventType
from schemas.wire import OpenWireModel

OFFERED: Final = "contract.offered"
SIGNED: Final = "contract.signed"
DECLINED: Final = "contract.declined"
ON_PAPER: Final = "contract.signed_on_paper"
LONGEST: Final = timedelta(days=180)
"""For how long an offer may stand."""


class ContractService:
    """供用电合同."""

    def __init__(
        self,
        transactions: Transactions[ContractsTransaction],
        clock: Clock,
        make_id: MakeId,
        digests: KeyedDigest,
        answer_key: CurrentKey,
        issuer: str,
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._make_id = make_id
        self._digests = digests
        self._answer_key = answer_key
        self._issuer = issuer

    async def offer(self, utility: str, application_id: str, request: ContractOffer) -> tuple[ContractStanding, bool]:
        """Take a contract in; True where it had come before. What is refused is recorded.

        Raises ``ApplicationUnknown``, ``ContractDocumentMalformed``, ``ContractNotInClass``, ``ContractContradicts``,
        ``ContractNotOpen``, ``ApplicationClosed``.
        """
        now = self._clock()
        async with refusals_recorded(self._transactions, OFFERED, self._clock, utility, application_id, {}):
            document = read_document(request.content, request.media_type, request.sha256)
            offered = self._contract(utility, application_id, request, now)
            kept, known = await self._transactions.write(lambda tx: self._offer(tx, offered, document, now))
        return standing_of(kept, now), known

    async def on_paper(
        self, utility: str, application_id: str, request: ContractOnPaper
    ) -> tuple[ContractStanding, bool]:
        """The utility says that it was signed on paper; True where it had said so before.

        Raises ``ApplicationUnknown``, ``ContractUnknown``, ``ContractNotOpen``.
        """
        now = self._clock()

        def settle(tx: ContractsTransaction) -> tuple[Contract, bool]:
            _of_utility(tx.applications.find_for_change(application_id), utility)
            versions = tx.contracts.of_application(application_id)
            contract = next((each for each in versions if each.version == request.version), None)
            if contract is None:
                raise _unknown()
            if contract.state is ContractState.SIGNED_ON_PAPER:
                return contract, True
            if contract.state_at(now) not in (ContractState.DECLINED, ContractState.EXPIRED):
                require_open(contract, now, Owner.UTILITY)
            settled = contract.settled(ContractState.SIGNED_ON_PAPER, now)
            tx.contracts.put(settled)
            facts = {**self._facts(settled), "event_sha256": digest(request.event_id)}
            tx.records.append(RecordEntry(ON_PAPER, now, utility, application_id, facts=facts))
            return settled, False

        async with refusals_recorded(self._transactions, ON_PAPER, self._clock, utility, application_id, {}):
            settled, known = await self._transactions.write(settle)
        return standing_of(settled, now), known

    async def standing(self, application_id: str, holder_digest: str) -> ContractStanding | None:
        """The newest contract of this holder's application, if there is one. Raises ``ApplicationUnknown``."""
        now = self._clock()

        def read(tx: ContractsTransaction) -> Contract | None:
            _own(tx.applications.find(application_id), holder_digest)
            return _newest(tx, application_id)

        found = await self._transactions.read(read)
        return standing_of(found, now) if found else None

    async def document(self, application_id: str, holder_digest: str) -> tuple[ContractStanding, bytes]:
        """The newest contract with its bytes. Raises ``ApplicationUnknown``, ``ContractUnknown`` also once erased."""
        now = self._clock()

        def read(tx: ContractsTransaction) -> tuple[Contract, bytes | None]:
            found = self._found(tx, application_id, holder_digest, None)
            return found, tx.contracts.document(found.contract_id)

        found, content = await self._transactions.read(read)
        if content is None:
            raise _unknown()
        return standing_of(found, now), content

    async def binding(self, application_id: str, holder_digest: str, contract_id: str) -> str:
        """What a verification for signing is to be bound to. Raises as ``sign``, but for ``SignatureNotFresh``."""
        now = self._clock()

        def read(tx: ContractsTransaction) -> str:
            contract = self._found(tx, application_id, holder_digest, contract_id)
            require_open(contract, now, Owner.APPLICANT)
            application = _own(tx.applications.find(application_id), holder_digest)
            require_signing_stage(application, Owner.APPLICANT)
            return contract.subject_sha256

        return await self._transactions.read(read)

    async def ready(self, application_id: str, session: VerificationSession) -> ContractStanding:
        """The contract that ``session`` was verified for, before it is signed. Raises as ``sign``."""
        now = self._clock()

        def read(tx: ContractsTransaction) -> Contract:
            contract = self._found(tx, application_id, _holder_of(session), None)
            if contract.state is not ContractState.SIGNED:
                require_open(contract, now, Owner.APPLICANT)
                require_fresh(session, contract, now)
            return contract

        return standing_of(await self._transactions.read(read), now)

    async def sign(
        self, application_id: str, session: VerificationSession, contract_id: str, document_sha256: str
    ) -> ContractStanding:
        """Sign, once: signed before, it is answered as it was. What is refused is recorded.

        Raises ``ApplicationUnknown``, ``ContractUnknown``, ``ContractNotOpen``, ``ApplicationClosed``,
        ``SignatureNotFresh``, ``ContractContradicts`` where another document was read than is signed.
        """
        now = self._clock()
        event_id, jti = self._make_id("evt"), self._make_id("sig")

        def sign(tx: ContractsTransaction) -> Contract:
            application = _own(tx.applications.find_for_change(application_id), _holder_of(session))
            contract = self._found(tx, application_id, application.holder_digest, contract_id)
            if contract.sha256 != document_sha256:
                raise _contradicts("document", Owner.APPLICANT, "所签文本与合同文本不一致，请重新打开合同")
            if contract.state is ContractState.SIGNED:
                return contract
            require_open(contract, now, Owner.APPLICANT)
            require_signing_stage(application, Owner.APPLICANT)
            key = self._answer_key()
            statement = signed_statement(contract, session, now, key=key, issuer=self._issuer, jti=jti)
            signed = contract.settled(ContractState.SIGNED, now, statement=statement, assertion=session.assertion)
            tx.contracts.put(signed)
            data = ContractSigned(**_named(signed), signed_at=now, statement=statement)
            self._tell(tx, signed, EventType.CONTRACT_SIGNED, event_id, data, now)
            facts = {**self._facts(signed), "statement_sha256": digest(statement), "verified_by": _method_of(session)}
            tx.records.append(RecordEntry(SIGNED, now, "applicant", application_id, facts=facts))
            return signed

        async with refusals_recorded(self._transactions, SIGNED, self._clock, "applicant", application_id, {}):
            return standing_of(await self._transactions.write(sign), now)

    async def decline(
        self, application_id: str, holder_digest: str, contract_id: str, reason: str | None
    ) -> ContractStanding:
        """It will not be signed; declined before, it stays so. Raises as ``sign``, but for ``SignatureNotFresh``."""
        now = self._clock()
        event_id = self._make_id("evt")

        def decline(tx: ContractsTransaction) -> Contract:
            _own(tx.applications.find_for_change(application_id), holder_digest)
            contract = self._found(tx, application_id, holder_digest, contract_id)
            if contract.state is ContractState.DECLINED:
                return contract
            require_open(contract, now, Owner.APPLICANT)
            declined = contract.settled(ContractState.DECLINED, now, reason=reason)
            tx.contracts.put(declined)
            data = ContractDeclined(**_named(declined), declined_at=now, reason=reason)
            self._tell(tx, declined, EventType.CONTRACT_DECLINED, event_id, data, now)
            facts = {**self._facts(declined), "with_reason": reason is not None}
            tx.records.append(RecordEntry(DECLINED, now, "applicant", application_id, facts=facts))
            return declined

        async with refusals_recorded(self._transactions, DECLINED, self._clock, "applicant", application_id, {}):
            return standing_of(await self._transactions.write(decline), now)

    def _contract(self, utility: str, application_id: str, request: ContractOffer, now: datetime) -> Contract:
        return Contract(
            contract_id=self._make_id("ctr"),
            application_id=application_id,
            utility=utility,
            version=request.version,
            title=request.title,
            media_type=request.media_type,
            sha256=request.sha256,
            offered_at=now,
            valid_until=request.valid_until,
            event_id=request.event_id,
            content_digest=self._digests.of(Use.CONTRACT, digest(request.model_dump_json())),
            record_id="",
        )

    def _offer(
        self, tx: ContractsTransaction, offered: Contract, document: bytes, now: datetime
    ) -> tuple[Contract, bool]:
        application = _of_utility(tx.applications.find_for_change(offered.application_id), offered.utility)
        versions = tx.contracts.of_application(offered.application_id)
        known = next((each for each in versions if each.event_id == offered.event_id), None)
        if known is not None:
            if known.content_digest != offered.content_digest:
                raise _contradicts("event", Owner.UTILITY, "该事件编号已用于另一内容；新的合同请使用新的编号")
            return known, True
        require_signing_stage(application, Owner.UTILITY)
        _require_sound_period(offered, now)
        if versions and offered.version <= versions[-1].version:
            raise _contradicts("version", Owner.UTILITY, Phrase("版本号须大于 {version}", version=versions[-1].version))
        for each in versions:
            if each.state in (ContractState.SIGNED, ContractState.SIGNED_ON_PAPER):
                require_open(each, now, Owner.UTILITY)
        for each in versions:
            if each.state is ContractState.OFFERED:
                tx.contracts.put(each.settled(ContractState.REPLACED, now))
        facts = {**self._facts(offered), "valid_until": offered.valid_until.isoformat()}
        record_id = tx.records.append(RecordEntry(OFFERED, now, offered.utility, offered.application_id, facts=facts))
        kept = Contract(**{**offered.__dict__, "record_id": record_id})
        tx.contracts.add(kept, document)
        return kept, False

    def _found(
        self, tx: ContractsTransaction, application_id: str, holder_digest: str, contract_id: str | None
    ) -> Contract:
        """The holder's newest contract, or the one of that id."""
        _own(tx.applications.find(application_id), holder_digest)
        versions = tx.contracts.of_application(application_id)
        wanted = [each for each in versions if contract_id in (None, each.contract_id)]
        if not wanted:
            raise _unknown()
        return wanted[-1]

    def _facts(self, contract: Contract) -> dict[str, Fact]:
        """For the record: references, and a digest that tells nobody who does not have the document."""
        return {
            "contract": contract.contract_id,
            "version": contract.version,
            "utility": contract.utility,
            "document_digest": self._digests.commitment(Use.CONTRACT, contract.contract_id, contract.sha256),
        }

    def _tell(
        self,
        tx: ContractsTransaction,
        contract: Contract,
        event_type: EventType,
        event_id: str,
        data: OpenWireModel,
        now: datetime,
    ) -> None:
        tx.outbox.append(
            EventDraft(
                event_id,
                contract.utility,
                ChannelKind.WEBHOOK,
                event_type,
                contract.application_id,
                now,
                data.model_dump(mode="json"),
            )
        )


def _named(contract: Contract) -> dict[str, object]:
    return {
        "application_id": contract.application_id,
        "contract_id": contract.contract_id,
        "version": contract.version,
        "contract_sha256": contract.sha256,
    }


def _newest(tx: ContractsTransaction, application_id: str) -> Contract | None:
    versions = tx.contracts.of_application(application_id)
    return versions[-1] if versions else None


def _require_sound_period(offered: Contract, now: datetime) -> None:
    if not now < offered.valid_until <= now + LONGEST:
        raise ContractDocumentMalformed(
            check="contract.valid_until", owner=Owner.UTILITY, remedy="签订期限须晚于现在，且不超过 180 天"
        )


def _own(application: GridConnectionApplication | None, holder_digest: str) -> GridConnectionApplication:
    if application is None or application.holder_digest != holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return application


def _of_utility(application: GridConnectionApplication | None, utility: str) -> GridConnectionApplication:
    if application is None or application.utility != utility:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.CALLER, remedy="请核对申请编号")
    return application


def _holder_of(session: VerificationSession) -> str:
    return session.applicant.holder_digest if session.applicant else ""


def _method_of(session: VerificationSession) -> str | None:
    return session.applicant.method.value if session.applicant else None


def _unknown() -> ContractUnknown:
    return ContractUnknown(check="contract.unknown", owner=Owner.CALLER, remedy="供电企业尚未发送合同，或编号有误")


def _contradicts(check: str, owner: Owner, remedy: str) -> ContractContradicts:
    return ContractContradicts(check=f"contract.{check}", owner=owner, remedy=remedy)
