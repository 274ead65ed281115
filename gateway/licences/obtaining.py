"""The one certificate that a request is answered from: the one the applicant confirmed, or a third party's."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.applications.model import HOLDER_TYPES, ApplicationDocument
from gateway.applications.submission import use_purpose
from gateway.certificates.errors import NoECertificate
from gateway.certificates.fetching import Fetched, Keeping, Refetchable
from gateway.certificates.service import CertificateService, CopiesAtHand, Obtained
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CheckResult, HolderExpectation, Verification
from gateway.errors import GatewayError, Indeterminate, PartnerUnavailable
from gateway.licences.confirmed import confirmed_certificate
from gateway.licences.gates import Gate, Gates
from gateway.licences.judgement import Allowed
from gateway.licences.ports import LicencesTransaction
from gateway.licences.third_parties import (
    THIRD_PARTY_KINDS,
    bind_third_party,
    their_certificate,
    third_party_refused,
)
from gateway.transaction import Transactions
from schemas.ecertificates import HOLDER_IS_ENTERPRISE

OF_A_THIRD_PARTY = "由第三方持有，不经申请人确认"
SOURCE_DOWN = "来源平台未应答，用的是此前取得的副本"
FROM_COPY = "用的是时效内的副本，未再向来源平台查询"


@dataclass(frozen=True)
class Found:
    """What was found, and where. ``level`` is the region whose source answers, ``fell_through`` those without one.

    ``from_copy`` says that a copy at hand was used, ``source_down`` that the source did not answer just now.
    ``rests_on`` are copies of which it has yet to be made sure that they are at hand, ``keeping`` those yet to
    be kept, and ``refetchable`` is by what the same is known when it is fetched again.
    """

    verification: Verification
    level: str | None
    fell_through: tuple[str, ...]
    from_copy: bool = False
    source_down: bool = False
    rests_on: CopiesAtHand | None = None
    keeping: Keeping | None = None
    refetchable: Refetchable | None = None

    @classmethod
    def of(cls, verification: Verification, obtained: Obtained) -> "Found":
        """The chosen one among what was ``obtained``."""
        return cls(
            verification,
            obtained.level,
            obtained.fell_through,
            obtained.from_copy,
            obtained.source_down,
            obtained.rests_on,
            obtained.keeping,
            obtained.refetchable,
        )


class Obtainer:
    """Fetches through the certificates room, under the rules of this one."""

    def __init__(self, transactions: Transactions[LicencesTransaction], certificates: CertificateService) -> None:
        self._transactions, self._certificates = transactions, certificates

    async def obtain(
        self,
        allowed: Allowed,
        holder_digest: str,
        now: datetime,
        gates: Gates,
        *,
        before_asking: Callable[[], Awaitable[None]] | None = None,
        fetched: Fetched | None = None,
    ) -> Found:
        """The certificate, verified at ``now``; where the source does not answer, one that nothing is known of.

        With ``before_asking`` it may rest on copies that were at hand before (``Found.rests_on``), and that is awaited
        before anything else is looked for. ``fetched`` is what the source answered just now. What it answered is kept
        by the caller (``Found.keeping``).
        Raises ``NoECertificate``, ``ConfirmedCertificateGone``, ``ThirdPartyRefused``, ``NoSource``, ``Denied``.
        """
        try:
            if allowed.question.kind in THIRD_PARTY_KINDS:
                return await self._theirs(allowed, holder_digest, now, gates)
            return await self._own(allowed, now, gates, before_asking, fetched)
        except (PartnerUnavailable, Indeterminate) as error:
            return self._out_of_reach(allowed, error, now)

    async def _own(
        self,
        allowed: Allowed,
        now: datetime,
        gates: Gates,
        before_asking: Callable[[], Awaitable[None]] | None,
        fetched: Fetched | None,
    ) -> Found:
        application, kind = allowed.application, allowed.question.kind
        holder = HolderExpectation(allowed.party.code, allowed.party.name)
        holder_type = HOLDER_TYPES[application.applicant_kind]
        since = changed_since(allowed)
        with gates.passing(Gate.SOURCE):
            obtained = None
            if before_asking is not None and fetched is None:
                obtained = self._certificates.remembered(kind, holder, region=application.region, at=now, since=since)
                if obtained is None:
                    await before_asking()
            if obtained is None:
                obtained = await self._fetch(allowed, holder, holder_type, now, since, fetched, kept_by_caller=True)
        _tell(obtained, gates)
        definition = self._certificates.kinds.get(kind)
        here = tuple(each for each in obtained.verifications if definition.lies_in(each.claims, application.region))
        try:
            with gates.passing(Gate.CONFIRMED):
                chosen = confirmed_certificate(here, _confirmed(allowed), self._certificates.identifier_digests)
        except GatewayError:
            if obtained.keeping is not None:
                await self._certificates.keep(obtained.keeping)
            raise
        return Found.of(chosen, obtained)

    async def _theirs(self, allowed: Allowed, holder_digest: str, now: datetime, gates: Gates) -> Found:
        """All that can be refused here is one refusal at one gate: told apart, it would tell of companies."""
        application_id, kind = allowed.application.application_id, allowed.question.kind
        with gates.passing(Gate.SOURCE):
            await self._transactions.write(lambda tx: bind_third_party(tx, application_id, kind, holder_digest, now))
            try:
                obtained = await self._fetch(allowed, HolderExpectation(allowed.holder_code), HOLDER_IS_ENTERPRISE, now)
            except NoECertificate:
                raise third_party_refused() from None
            chosen = their_certificate(obtained.verifications)
        _tell(obtained, gates)
        gates.note(Gate.CONFIRMED, note=OF_A_THIRD_PARTY)
        return Found.of(chosen, obtained)

    async def _fetch(
        self,
        allowed: Allowed,
        holder: HolderExpectation,
        holder_type: str,
        now: datetime,
        since: datetime | None = None,
        fetched: Fetched | None = None,
        *,
        kept_by_caller: bool = False,
    ) -> Obtained:
        return await self._certificates.obtain(
            allowed.question.kind,
            holder,
            holder_type=holder_type,
            region=allowed.application.region,
            purpose=use_purpose(allowed.stage.chinese_title),
            at=now,
            since=since,
            fetched=fetched,
            kept_by_caller=kept_by_caller,
        )

    def _out_of_reach(self, allowed: Allowed, error: PartnerUnavailable | Indeterminate, now: datetime) -> Found:
        """It could not be known: the source did not answer, and nothing that may stand in for it is at hand."""
        kind = allowed.question.kind
        route = self._certificates.route(kind, allowed.application.region)
        down = isinstance(error, PartnerUnavailable)
        limit = self._certificates.kinds.get(kind).policy.source
        verification = Verification(
            kind=kind,
            verdict=Verdict.INDETERMINATE,
            checks=(CheckResult("source", Verdict.INDETERMINATE, error.check, error.owner, error.remedy),),
            at=now,
            basis=(limit.missing("certificate", route.source.code, down=down),),
        )
        return Found(verification, route.level, route.fell_through, source_down=down)


def changed_since(allowed: Allowed) -> datetime | None:
    """When the certificate was found changed: no answer rests on what was fetched before its utility was told."""
    application, confirmed = allowed.application, _confirmed(allowed)
    if confirmed is None or confirmed.as_of is None or confirmed.as_of <= application.received_at:
        return None
    return confirmed.as_of


def _confirmed(allowed: Allowed) -> ApplicationDocument | None:
    kind = allowed.question.kind
    return next((each for each in allowed.application.documents if each.document == kind), None)


def _tell(obtained: Obtained, gates: Gates) -> None:
    if obtained.source_down:
        gates.note(Gate.SOURCE, note=SOURCE_DOWN)
    elif obtained.from_copy:
        gates.note(Gate.SOURCE, note=FROM_COPY)
