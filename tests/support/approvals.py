"""A utility, departments with keys, an application, and the approvals room over a real database."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from adapters.departments import discover
from adapters.storage.engine import create_database_engine
from adapters.storage.tables import metadata
from adapters.storage.transactions import SqlTransactions
from gateway.applications.customer_classes import ApplicantKind, Area, ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import Demand, GridConnectionApplication, IntakeKind, Party
from gateway.applications.rule_book import published_rules
from gateway.approvals.commitments import CommitmentService
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_modes import ReviewModeRow, ReviewModes
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.caller import Caller, Role
from gateway.crypto.jwk import SigningKey, export_jwk, thumbprint
from gateway.crypto.jws import sign_jws
from gateway.delivery.ports import Event
from gateway.identity.model import VerifiedApplicant
from gateway.partners.directory import DirectorySnapshot, HeldKey
from gateway.partners.model import Endpoint, KeyUse, Partner, PartnerKey, PartnerStatus
from schemas.departments import OutcomeAcknowledged, ReviewMode
from schemas.identity import ActingRole, VerificationMethod
from schemas.partner_api import JointReviewRequest
from schemas.wire import Typ
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.storage import DIGESTS, NOON, SetClock, opened

UTILITY = "csg-guangzhou"
PLANNING, ROAD, GREENERY = "planning-440100", "road-440100", "greenery-440100"
LINE = {"description": "电缆线路", "voltage_v": 10_000, "length_m": 420.5, "from_point": "开关站", "to_point": "红线"}
LOW_LINE = {"voltage_v": 380, "length_m": 80.0}
"""Changes to ``LINE`` that make it short and of low voltage."""
BASIS = "粤能源〔2026〕1号"
LIGHT_MODES = ReviewModes(
    ReviewModeRow(
        mode, max_voltage_v=380, max_length_m=200.0, clause=BASIS, effective_from=date(2026, 1, 1), region="44"
    )
    for mode in ReviewMode
    if mode is not ReviewMode.FULL
)
"""A province that lets short low-voltage lines go by every lighter mode."""


@dataclass
class FixedDirectory:
    """Partners held in memory; tests change them between calls."""

    partners: dict[str, Partner] = field(default_factory=dict)
    keys: dict[str, list[HeldKey]] = field(default_factory=dict)
    endpoints: dict[str, list[Endpoint]] = field(default_factory=dict)

    async def snapshot(self) -> DirectorySnapshot:
        return DirectorySnapshot(1, self.partners, self.keys, {}, self.endpoints)

    def add(self, code: str, role: Role, *regions: str) -> None:
        self.partners[code] = Partner(code, code, role, regions, PartnerStatus.ACTIVE, 0, NOON)

    def suspend(self, code: str) -> None:
        self.partners[code] = replace(self.partners[code], status=PartnerStatus.SUSPENDED)

    def add_key(self, code: str, key: SigningKey, use: KeyUse) -> None:
        public = key.public()
        registered = PartnerKey(
            code, key.kid, thumbprint(public.public_key), export_jwk(public), use, NOON - timedelta(days=1)
        )
        self.keys.setdefault(code, []).append(HeldKey(registered, public))

    def set_endpoint(self, code: str, channel: str, url: str, secret_ref: str | None = None) -> None:
        self.endpoints[code] = [Endpoint(code, channel, url, secret_ref)]


def utility_caller(code: str = UTILITY) -> Caller:
    return Caller(code, Role.UTILITY, "thumbprint", frozenset({"reviews", "events"}), ("440100",))


def an_application(application_id: str = "app_1", **changes: Any) -> GridConnectionApplication:
    own: dict[str, Any] = {
        "application_id": application_id,
        "intake": IntakeKind.ONE_CERTIFICATE,
        "utility": UTILITY,
        "applicant_kind": ApplicantKind.ENTERPRISE,
        "holder_digest": "0" * 64,
        "demand": Demand("440106", 10_000, 800.0, 2, Area.URBAN, "生产"),
        "derivation": ClassDerivation(CustomerClass.HV_DUAL, "附件2", "双电源"),
        "received_at": NOON - timedelta(days=2),
        "lifecycle": Lifecycle(CustomerClass.HV_DUAL, NOON - timedelta(days=2)),
        "documents": (),
    }
    return GridConnectionApplication(**(own | changes))


A_PARTY = Party(ApplicantKind.ENTERPRISE, "测试公司", "0" * 18, "测试人", "0" * 18, "legal_representative", "e_licence")


def a_small_application(application_id: str = "app_1", **changes: Any) -> GridConnectionApplication:
    """An enterprise at low voltage: its line is short and of low voltage too."""
    own: dict[str, Any] = {
        "demand": Demand("440106", 380, 200.0, 1, Area.URBAN, "生产"),
        "derivation": ClassDerivation(CustomerClass.LV_ORDINARY, "附件2", "低压"),
        "lifecycle": Lifecycle(CustomerClass.LV_ORDINARY, NOON - timedelta(days=2)),
    }
    return an_application(application_id, **(own | changes))


def the_applicant(holder_digest: str = "0" * 64) -> VerifiedApplicant:
    """Whoever stands behind ``an_application``."""
    return VerifiedApplicant(
        ApplicantKind.ENTERPRISE,
        VerificationMethod.E_LICENCE,
        "测试公司",
        "0" * 18,
        "测试人",
        "0" * 18,
        ActingRole.AGENT,
        holder_digest,
    )


def intake(*permits: dict[str, Any], **line: Any) -> JointReviewRequest:
    """A request for ``permits``, by default planning and road."""
    wanted = permits or (
        {"department": PLANNING, "permit": "construction_planning"},
        {"department": ROAD, "permit": "road_occupation"},
    )
    return JointReviewRequest.model_validate({"line": {**LINE, **line}, "permits": list(wanted)})


@dataclass
class ApprovalsRoom:
    """The room, wired over a database. ``keys`` are the departments' private keys."""

    transactions: SqlTransactions
    clock: SetClock
    directory: FixedDirectory
    window: SingleWindow
    commitments: CommitmentService
    outcomes: OutcomeIntake
    keys: dict[str, SigningKey]

    async def receive_application(self, application: GridConnectionApplication | None = None) -> None:
        await self.transactions.write(lambda tx: tx.applications.add(application or an_application(), A_PARTY))

    async def open(self, request: JointReviewRequest | None = None, application_id: str = "app_1") -> dict[str, str]:
        """Open a review; answers permit ids by department."""
        answered = await self.window.open(utility_caller(), application_id, request or intake(), self.clock())
        return {permit.department: permit.permit_id for permit in answered.view.permits}

    def sign(self, department: str, claims: dict[str, Any], typ: str = Typ.APPROVAL_OUTCOME.value) -> bytes:
        return sign_jws(claims, self.keys[department], typ).encode()

    async def push(self, department: str, claims: dict[str, Any]) -> OutcomeAcknowledged:
        return await self.outcomes.receive(department, self.sign(department, claims), self.clock())

    async def events(self, destination: str) -> list[Event]:
        return list(await self.transactions.read(lambda tx: tx.deliveries.feed(destination, 0, 1000)))

    async def actions(self) -> list[str]:
        """What the record holds, in order."""
        return [entry["action"] for entry in await self.entries()]

    async def entries(self) -> list[dict[str, Any]]:
        def read(tx: Any) -> list[dict[str, Any]]:
            reader = tx.record_reader
            return [orjson.loads(e.leaf) for log in reader.log_ids() for e in reader.entries(log)]

        return await self.transactions.read(read)


def road_claims(permit_id: str, number: int, outcome: str, at: datetime, **changes: Any) -> dict[str, Any]:
    """An outcome in the gateway's own words."""
    own = {
        "iss": ROAD,
        "aud": ISSUER,
        "jti": f"{ROAD}:{permit_id}:{number}",
        "iat": int(at.timestamp()),
        "permit_id": permit_id,
        "sequence": number,
        "outcome": outcome,
        "decided_at": at.isoformat(),
    }
    return {name: value for name, value in (own | changes).items() if value is not None}


def planning_claims(permit_id: str, number: int, status: int, at: datetime, **changes: Any) -> dict[str, Any]:
    """An outcome in the words of the V3 exchange; its clock is China's."""
    own = {
        "iss": PLANNING,
        "aud": ISSUER,
        "jti": f"{PLANNING}:{permit_id}:{number}",
        "iat": int(at.timestamp()),
        "spsxslbm": permit_id,
        "xh": number,
        "blzt": status,
        "blsj": (at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S"),
    }
    return {name: value for name, value in (own | changes).items() if value is not None}


def create_tables(database_url: str) -> None:
    """Whatever the migrated template does not have yet."""
    engine = create_database_engine(database_url, pool_size=1)
    metadata.create_all(engine)
    engine.dispose()


@contextmanager
def approvals_room(database_url: str, prefix: str = "") -> Iterator[ApprovalsRoom]:
    """``prefix`` keeps the ids of two gateways over one database apart."""
    create_tables(database_url)
    clock, directory = SetClock(), FixedDirectory()
    keys = {PLANNING: es256_key("planning-1"), ROAD: ed25519_key("road-1"), GREENERY: es256_key("greenery-1")}
    directory.add(UTILITY, Role.UTILITY, "440100")
    for code, key in keys.items():
        directory.add(code, Role.DEPARTMENT, "440100")
        directory.add_key(code, key, KeyUse.OUTCOME)
    numbers = itertools.count(1)

    def make_id(kind: str) -> str:
        return f"{kind}_{prefix}{next(numbers):04d}"

    departments, rules, names = discover(), published_rules, GatewayNames(ISSUER, "https://gateway.example/")
    with opened(database_url, clock) as transactions:
        yield ApprovalsRoom(
            transactions=transactions,
            clock=clock,
            directory=directory,
            window=SingleWindow(transactions, directory, departments, rules, names, make_id, LIGHT_MODES, DIGESTS),
            commitments=CommitmentService(transactions, departments, rules, names, make_id, DIGESTS),
            outcomes=OutcomeIntake(transactions, directory, departments, ISSUER, make_id, DIGESTS),
            keys=keys,
        )
