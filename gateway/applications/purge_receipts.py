"""清除回执: after a withdrawal the utility confirms, signed, that it has purged what it had obtained.

The delivery receipt shows that it got the order; this one that it carried it out. It is a compact JWS by the key that
signs the utility's delivery receipts, sent by the utility itself, once for each withdrawn authorisation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from gateway.applications.errors import PurgeReceiptContradicts, PurgeReceiptNotAuthentic
from gateway.applications.ports import PurgeTransaction
from gateway.applications.rule_book import RulesNow
from gateway.applications.working_days import WorkingCalendar, end_of_day
from gateway.authorisations.errors import AuthorisationUnknown
from gateway.authorisations.model import Authorisation
from gateway.clock import Clock, date_in_china
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import VerificationKey
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.errors import Owner
from gateway.partners.directory import Directory
from gateway.partners.model import KeyUse
from gateway.records.entries import RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.partner_api import PurgeReceipt, PurgeRecorded
from schemas.wire import Typ

PURGED: Final = "authorisation.purged"
PURGE_WORKING_DAYS: Final = 5
"""Unless it is set: in how many working days after a withdrawal the receipt is to be there."""
MOST_LOOKED_AT: Final = 500
_CLAIMS: Final = frozenset({"iss", "aud", "jti", "iat"})


def purge_by(withdrawn_at: datetime, calendar: WorkingCalendar, working_days: int) -> datetime:
    """The end of the last day on which the receipt is in time."""
    return end_of_day(calendar.add_working_days(date_in_china(withdrawn_at), working_days).due_on)


def read_purge_receipt(
    document: bytes, keys: tuple[VerificationKey, ...], utility: str, issuer: str, at: datetime
) -> PurgeReceipt:
    """What ``utility`` signed for ``issuer`` (this gateway). Raises ``PurgeReceiptNotAuthentic``."""
    policy = JwsPolicy(
        typ=frozenset({Typ.PURGE_RECEIPT.value}),
        audience=frozenset({issuer}),
        issuer=utility,
        required=_CLAIMS,
        leeway=timedelta(seconds=60),
    )
    try:
        return PurgeReceipt.model_validate(verify_jws(document.strip(), keys, policy, at).claims)
    except JoseRefused as refusal:
        raise _not_authentic(refusal.check.removeprefix("jose."), refusal.remedy) from None
    except ValidationError:
        raise _not_authentic("claims", "清除回执的内容不完整") from None


@dataclass(frozen=True)
class OverduePurge:
    """A withdrawn authorisation whose receipt should be there by now."""

    authorisation: Authorisation
    purge_by: datetime


class PurgeReceiptService:
    """Takes receipts in, and tells which are missing."""

    def __init__(
        self,
        transactions: Transactions[PurgeTransaction],
        directory: Directory,
        rules: RulesNow,
        clock: Clock,
        issuer: str,
        working_days: int = PURGE_WORKING_DAYS,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._rules = rules
        self._clock = clock
        self._issuer = issuer
        self._working_days = working_days

    async def receive(self, utility: str, authorisation_id: str, document: bytes) -> PurgeRecorded:
        """Take in what ``utility`` signed; the first receipt stands, a later one has no effect. Refusals are recorded.

        Raises ``AuthorisationUnknown``, ``PurgeReceiptNotAuthentic``, ``PurgeReceiptContradicts``.
        """
        now = self._clock()
        snapshot = await self._directory.snapshot()
        keys = snapshot.verification_keys(utility, KeyUse.RECEIPT, now)

        def take(tx: PurgeTransaction) -> PurgeRecorded:
            authorisation = tx.authorisations.find(authorisation_id)
            if authorisation is None or authorisation.utility != utility:
                raise AuthorisationUnknown(check="authorisation.unknown", owner=Owner.CALLER, remedy="请核对授权编号")
            said = read_purge_receipt(document, keys, utility, self._issuer, now)
            _require_sound(said, authorisation, now)
            text = document.decode("ascii").strip()
            if tx.authorisations.purged(authorisation_id, said.purged_at, now, text):
                facts = {
                    "authorisation": authorisation_id,
                    "utility": utility,
                    "purged_at": said.purged_at.isoformat(),
                    "receipt_sha256": digest(text),
                }
                tx.records.append(RecordEntry(PURGED, now, utility, authorisation.application_id, facts=facts))
            kept = tx.authorisations.find(authorisation_id) or authorisation
            return PurgeRecorded(
                authorisation_id=authorisation_id,
                application_id=kept.application_id,
                purged_at=kept.purged_at or said.purged_at,
                heard_at=kept.purge_heard_at or now,
                receipt_sha256=digest(kept.purge_receipt or text),
            )

        async with refusals_recorded(self._transactions, PURGED, self._clock, utility, None, {}):
            return await self._transactions.write(take)

    async def overdue(self) -> Sequence[OverduePurge]:
        """Withdrawals without a receipt whose time is over, the oldest first."""
        now = self._clock()
        calendar = self._rules().calendar
        unpurged = await self._transactions.read(lambda tx: tx.authorisations.unpurged(MOST_LOOKED_AT))
        late = [
            OverduePurge(each, purge_by(each.withdrawn_at, calendar, self._working_days))
            for each in unpurged
            if each.withdrawn_at is not None
        ]
        return [each for each in late if each.purge_by < now]


def _require_sound(said: PurgeReceipt, authorisation: Authorisation, now: datetime) -> None:
    """It is of this authorisation, which was withdrawn, and of a purge between then and now."""
    if authorisation.withdrawn_at is None:
        raise _contradicts("not_withdrawn", "授权未被撤回，无须清除")
    if (said.authorisation_id, said.application_id) != (authorisation.authorisation_id, authorisation.application_id):
        raise _contradicts("subject", "回执所写的申请编号或授权编号与本授权不符")
    # Instants on the wire are to the millisecond: a purge at once may seem a little earlier than what caused it.
    earliest = authorisation.withdrawn_at - timedelta(seconds=60)
    if not earliest <= said.purged_at <= now + timedelta(seconds=60):
        raise _contradicts("time", "清除时间须在撤回之后，且不晚于现在")


def _not_authentic(check: str, remedy: str) -> PurgeReceiptNotAuthentic:
    return PurgeReceiptNotAuthentic(check=f"purge_receipt.{check}", owner=Owner.UTILITY, remedy=remedy)


def _contradicts(check: str, remedy: str) -> PurgeReceiptContradicts:
    return PurgeReceiptContradicts(check=f"purge_receipt.{check}", owner=Owner.UTILITY, remedy=remedy)
