"""Intakes and licences over a real database, with real certificates from a source that a test controls."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import orjson
import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.applications.customer_classes import Area
from gateway.applications.intake import IntakeService
from gateway.applications.model import Demand, IntakeKind
from gateway.applications.review_reading import ReviewReader
from gateway.applications.reviews import ReviewService
from gateway.applications.rule_book import published_rules
from gateway.applications.stage_events import StageEventService
from gateway.applications.submission import Submitted
from gateway.authorisations.service import AuthorisationService
from gateway.caller import Caller, Role
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.ports import FetchedEnvelope, SourceQuery
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.crypto.keyed_digest import Use
from gateway.errors import GatewayError, Owner, PartnerUnavailable
from gateway.identity.model import VerifiedApplicant
from gateway.licences.service import LicenceService
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.model import AgreementStatus, Grant, Partner, PartnerStatus, SharingAgreement
from schemas.applicant_api import Confirmation
from schemas.ecertificates import TYPE_CODES
from schemas.identity import ActingRole, ApplicantKind, VerificationMethod
from schemas.partner_api import StageEventRequest, VerifiedLicence, VerifiedLicenceRequest
from schemas.wire import Typ
from tests.support.authorisations import PERSONS_URL, authorities, persons
from tests.support.ecertificates import AT, ENTERPRISE, Province
from tests.support.partners import ISSUER, es256_key
from tests.support.storage import DIGESTS, SetClock, opened

UTILITY, OTHER_UTILITY = "csg-guangzhou", "csg-foshan"
NAME = "示例有限公司"
PURPOSE = "grid_connection"
AGREED = {
    "business_licence": {"name", "holder", "holder_code", "valid_on"},
    "property_certificate": {"name", "location", "property_unit_code", "held_by"},
    "project_approval": {"name"},
    "design_qualification": {"name", "holder", "grade"},
}
SHOP = Demand("440106", 380, 80.0, 1, Area.URBAN, "糕饼店")
PLANT = Demand("440106", 10_000, 800.0, 1, Area.URBAN, "生产")
SECRETS = (NAME, ENTERPRISE, "广州市示例路", "440106011001GB")


@cache
def province() -> Province:
    """One PKI for all tests of a process: making it takes longer than any of them."""
    return Province()


class Source:
    """A platform in memory: envelopes by type code and holder; ``down`` answers nothing."""

    code = "gd-platform"

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], list[bytes]] = {}
        self.queries: list[SourceQuery] = []
        self.down: set[str] = set()

    def hold(self, kind: str, *envelopes: bytes, holder: str = ENTERPRISE) -> None:
        self.held[TYPE_CODES[kind], holder] = list(envelopes)

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        self.queries.append(query)
        if query.type_code in self.down:
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner=self.code)
        found = self.held.get((query.type_code, query.holder_code), [])
        return [FetchedEnvelope(each, self.code, at, f"id-{number}") for number, each in enumerate(found)]

    def sweep_memory(self, at: datetime) -> None:
        """It remembers nothing."""


class Status:
    """Status lists and CRLs as of a minute ago, or of ``list_age`` and ``crl_age`` ago; ``down`` addresses by part."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock
        self.list_age = self.crl_age = timedelta(minutes=1)
        self.down: set[str] = set()

    async def fetch_status_list(self, uri: str) -> bytes:
        self._require_up(uri)
        return province().status_list(issued_at=self._clock() - self.list_age)

    async def fetch_crl(self, uri: str) -> bytes:
        self._require_up(uri)
        name = uri.rsplit("/", 1)[1].removesuffix(".crl")
        if uri.startswith(PERSONS_URL):
            return persons().crl(name, self._clock() - self.crl_age) or b""
        return province().pki.authority(name).crl(self._clock() - self.crl_age)

    def _require_up(self, uri: str) -> None:
        if any(part in uri for part in self.down):
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner="status")


def a_utility(code: str = UTILITY, *regions: str) -> Partner:
    return Partner(code, code, Role.UTILITY, regions or ("440100",), PartnerStatus.ACTIVE, 0, AT - timedelta(days=9))


def an_agreement(code: str = UTILITY, agreed: Mapping[str, set[str]] | None = None, **changes: Any) -> SharingAgreement:
    grants = tuple(Grant(kind, frozenset(fields)) for kind, fields in (AGREED if agreed is None else agreed).items())
    own: dict[str, Any] = {
        "agreement_id": f"agreement-{code}",
        "partner_code": code,
        "purpose": PURPOSE,
        "grants": grants,
        "regions": ("440100",),
        "stages": None,
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2027, 12, 31),
        "clause": "第（七）条",
        "status": AgreementStatus.ACTIVE,
    }
    return SharingAgreement(**(own | changes))


@dataclass
class Partners:
    """The directory, held in memory; as the real one, it has another version once something changed."""

    partners: dict[str, Partner] = field(default_factory=lambda: {UTILITY: a_utility()})
    agreements: dict[str, list[SharingAgreement]] = field(default_factory=lambda: {UTILITY: [an_agreement()]})

    _seen: DirectorySnapshot = field(default_factory=lambda: DirectorySnapshot(0))

    async def snapshot(self) -> DirectorySnapshot:
        return self.at_hand()

    def at_hand(self) -> DirectorySnapshot:
        return self.as_of(None, self._seen)

    def as_of(self, unit: Any, known: DirectorySnapshot) -> DirectorySnapshot:
        now = (dict(self.partners), {code: list(each) for code, each in self.agreements.items()})
        if now != (self._seen.partners, self._seen.agreements):
            self._seen = DirectorySnapshot(self._seen.version + 1, now[0], {}, now[1], {})
        return self._seen


def an_applicant(code: str = ENTERPRISE, name: str = NAME) -> VerifiedApplicant:
    return VerifiedApplicant(
        ApplicantKind.ENTERPRISE,
        VerificationMethod.E_LICENCE,
        name,
        code,
        "测试甲",
        "110101190001010018",
        ActingRole.LEGAL_REPRESENTATIVE,
        DIGESTS.of(Use.HOLDER, code),
    )


def utility_caller(code: str = UTILITY) -> Caller:
    return Caller(code, Role.UTILITY, "thumbprint", frozenset({"licences", "stages"}), ("440100",))


@dataclass
class LicencesRoom:
    """Intakes, stages, authorisations and licences, wired as the gateway wires them."""

    transactions: SqlTransactions
    clock: SetClock
    source: Source
    partners: Partners
    intakes: IntakeService
    stages: StageEventService
    authorisations: AuthorisationService
    licences: LicenceService
    reviews: ReviewService
    answer_key: Any
    status: Status
    certificates: CertificateService

    async def apply(
        self, demand: Demand = SHOP, applicant: VerifiedApplicant | None = None, **confirmation: Any
    ) -> Submitted:
        """Begin and confirm at once."""
        applicant = applicant or an_applicant()
        view = await self.intakes.begin(applicant, IntakeKind.ONE_CERTIFICATE, demand)
        made = await self.intakes.confirm(applicant, view.intake_id, Confirmation(authorise=True, **confirmation))
        assert isinstance(made, Submitted), made
        return made

    async def ask(self, application_id: str, kind: str = "business_licence", **wanted: Any) -> VerifiedLicence:
        """Ask as the utility; answers the claims, once the signature holds."""
        caller = utility_caller(wanted.pop("caller", UTILITY))
        request = VerifiedLicenceRequest(
            application_id=application_id, kind=kind, purpose=wanted.pop("purpose", PURPOSE), **wanted
        )
        policy = JwsPolicy(
            typ=frozenset({Typ.VERIFIED_LICENCE}), issuer=ISSUER, audience=frozenset({caller.partner_code})
        )
        token = await self.licences.answer(caller, request)
        return VerifiedLicence(**verify_jws(token, [self.answer_key.public()], policy, self.clock()).claims)

    async def complete(self, application_id: str, *stages: str) -> None:
        """The utility starts and completes stages now."""
        for stage in stages:
            for action in ("started", "completed"):
                event = StageEventRequest(
                    event_id=f"ev-{stage}-{action}",
                    stage=stage,
                    action=action,
                    claimed_at=self.clock.advance(minutes=1),
                )
                await self.stages.hear(UTILITY, application_id, event)

    async def entries(self, action: str) -> list[dict[str, Any]]:
        """Record entries of ``action``; no entry of any kind names anybody."""

        def read(tx: Any) -> list[bytes]:
            return [e.leaf for log in tx.record_reader.log_ids() for e in tx.record_reader.entries(log)]

        leaves = await self.transactions.read(read)
        assert not [leaf for leaf in leaves for secret in SECRETS if secret.encode() in leaf]
        return [entry for leaf in leaves if (entry := orjson.loads(leaf))["action"] == action]

    async def copies(self, kind: str, holder: str = ENTERPRISE) -> int:
        return len(await self.transactions.read(lambda tx: tx.certificate_copies.latest(kind, holder)))

    def change_agreement(self, **changes: Any) -> None:
        self.partners.agreements[UTILITY] = [replace(self.partners.agreements[UTILITY][0], **changes)]


async def refused(room: LicencesRoom, error: type[GatewayError], check: str, *args: Any, **wanted: Any) -> GatewayError:
    """Ask; the refusal is that error with that check, and it is in the record."""
    before = len(await room.entries("licence.disclosed"))
    with pytest.raises(error) as caught:
        await room.ask(*args, **wanted)
    assert caught.value.check == check
    entries = await room.entries("licence.disclosed")
    assert len(entries) == before + 1
    recorded = [entry for entry in entries if entry["result"] == "refused"][-1]
    assert recorded["facts"]["check"] == check
    assert recorded["facts"]["clause"] == caught.value.clause
    assert recorded["actor"] == wanted.get("caller", UTILITY)
    return caught.value


@contextmanager
def licences_room(database_url: str) -> Iterator[LicencesRoom]:
    """At ``AT``, in Guangzhou; the source holds a licence and one property of the enterprise."""
    clock, source, partners, key = SetClock(AT), Source(), Partners(), es256_key("answer-1")
    source.hold("business_licence", province().envelope())
    source.hold("property_certificate", province().envelope("property_certificate"))
    verifier, numbers, status = province().verifier(), count(1), Status(clock)

    def make_id(kind: str) -> str:
        return f"{kind}_{next(numbers):04d}"

    with opened(database_url, clock) as transactions:
        certificates = CertificateService(
            kinds=KindRegistry.discover(),
            sources=SourceDirectory([SourceRegistration("440000", source)]),
            verifier=verifier,
            evidence=EvidenceGatherer(verifier, status),
            transactions=transactions,
            digests=DIGESTS,
        )
        rules, agents = published_rules, authorities(Status(clock))
        yield LicencesRoom(
            transactions,
            clock,
            source,
            partners,
            IntakeService(transactions, certificates, agents, partners, rules, clock, make_id, "共享平台"),
            StageEventService(transactions, rules, clock, DIGESTS),
            AuthorisationService(transactions, clock, make_id),
            LicenceService(transactions, certificates, partners, clock, make_id, DIGESTS, lambda: key, ISSUER),
            ReviewService(
                transactions, ReviewReader(certificates, agents), partners, rules, clock, make_id, "共享平台", DIGESTS
            ),
            key,
            status,
            certificates,
        )
