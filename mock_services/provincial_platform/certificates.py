"""What the registry holds: one record for each e-certificate of the population, in a fixed order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone

from mock_services.authorities import AUTHORITY_OF_KIND, Authority
from mock_services.population import (
    Enterprise,
    Population,
    Project,
    Property,
    Qualification,
    Resident,
    Trouble,
    code_of,
)
from schemas.ecertificates import (
    HOLDER_IS_ENTERPRISE,
    HOLDER_IS_RESIDENT,
    HOLDER_SEPARATOR,
    HOLDER_TYPE_NAMES,
    NO_END,
    TYPE_CODES,
    TYPE_NAMES,
    ECertificateMetadata,
)
from schemas.identifiers import ECertificateIdentifier
from schemas.share_interface import VerifyResult
from schemas.status_lists import CertificateStatus

CURRENT_LIST, STALE_LIST = 1, 2
EXPIRED_ON = date(2025, 6, 30)
_ISSUED_AT = time(0, tzinfo=timezone(timedelta(hours=8)))
"""The day's first instant in China: what an authority issues today never says that it was issued later than now."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A change of state that somebody ordered."""

    at: datetime
    state: VerifyResult
    reason: str


@dataclass
class Record:
    """An e-certificate: its metadata, under which codes it is found, where its status stands, what is wrong with it."""

    kind: str
    metadata: ECertificateMetadata
    authority: Authority
    found_under: tuple[str, ...]
    status_list: int
    status_index: int
    regular_end_on: date
    trouble: Trouble | None = None
    as_ofd: bool = False
    status: CertificateStatus = CertificateStatus.VALID
    expired: bool = False
    remarks: list[Remark] = field(default_factory=list)

    @property
    def identifier(self) -> str:
        """ZZBS."""
        return self.metadata.identifier

    @property
    def issued_at(self) -> datetime:
        """``iat`` of the envelope."""
        return datetime.combine(self.metadata.issued_on, _ISSUED_AT)

    @property
    def state(self) -> VerifyResult:
        """What the registry says of it."""
        if self.status is CertificateStatus.SUSPENDED:
            return VerifyResult.SUSPENDED
        if self.status is CertificateStatus.INVALID or self.expired:
            return VerifyResult.INVALID
        return VerifyResult.VALID


@dataclass(frozen=True)
class _Draft:
    kind: str
    number: str
    issued_on: date
    holders: tuple[Resident | Enterprise, ...]
    extensions: dict[str, str]
    valid_until_on: date = NO_END
    registered: tuple[tuple[str, str], ...] = ()
    """The holders' names and codes as they stand in the register, where they have changed since."""


def records_of(population: Population) -> list[Record]:
    """Every e-certificate of ``population``; the same population gives the same records."""
    troubles = {
        (persona.enterprise.code, kind): trouble
        for persona in population.personas.values()
        if persona.enterprise
        for kind, trouble in persona.troubles.items()
    }
    on_ofd = {(persona.holder_code, kind) for persona in population.personas.values() for kind in persona.ofd}
    lengths = {CURRENT_LIST: 0, STALE_LIST: 0}
    records: list[Record] = []
    for serial, draft in enumerate(_drafts(population), start=1):
        trouble = troubles.get((code_of(draft.holders[0]), draft.kind))
        number = STALE_LIST if trouble is Trouble.STALE_STATUS else CURRENT_LIST
        record = _record(draft, serial, trouble, number, lengths[number], population)
        record.as_ofd = any((code_of(holder), draft.kind) in on_ofd for holder in draft.holders)
        records.append(record)
        lengths[number] += 1
    return records


def _record(
    draft: _Draft, serial: int, trouble: Trouble | None, status_list: int, index: int, population: Population
) -> Record:
    authority = AUTHORITY_OF_KIND[draft.kind]
    identifier = ECertificateIdentifier.make(
        TYPE_CODES[draft.kind], authority.code, f"{draft.issued_on.year}{serial:08d}"
    )
    holders, found_under = draft.holders, tuple(code_of(holder) for holder in draft.holders)
    number = draft.number
    if trouble is Trouble.WRONG_HOLDER:
        holders = (population.personas["enterprise-small"].enterprise or draft.holders[0],)
        number = code_of(holders[0])
    named = draft.registered or tuple((holder.name, code_of(holder)) for holder in holders)
    holder_type = HOLDER_IS_RESIDENT if isinstance(holders[0], Resident) else HOLDER_IS_ENTERPRISE
    metadata = ECertificateMetadata(
        name=TYPE_NAMES[draft.kind],
        type_code=TYPE_CODES[draft.kind],
        number=number,
        identifier=str(identifier),
        issuing_authority=authority.name,
        issuing_authority_code=authority.code,
        issued_on=draft.issued_on,
        holder=HOLDER_SEPARATOR.join(name for name, _ in named),
        holder_code=HOLDER_SEPARATOR.join(code for _, code in named),
        holder_code_type=HOLDER_TYPE_NAMES[holder_type],
        holder_code_type_code=holder_type,
        valid_from_on=draft.issued_on,
        valid_until_on=EXPIRED_ON if trouble is Trouble.EXPIRED else draft.valid_until_on,
        **draft.extensions,
    )
    record = Record(draft.kind, metadata, authority, found_under, status_list, index, draft.valid_until_on, trouble)
    if trouble is Trouble.REVOKED:
        record.status = CertificateStatus.INVALID
    if trouble is Trouble.SUSPENDED:
        record.status = CertificateStatus.SUSPENDED
    record.expired = trouble is Trouble.EXPIRED
    return record


def _drafts(population: Population) -> Iterator[_Draft]:
    # Enterprises and units come before people, so that a larger province changes fewer identifiers.
    yield from (_licence(enterprise) for enterprise in population.enterprises.values())
    yield from (_qualification(found) for found in population.qualifications)
    yield from (_approval(project) for project in population.projects)
    yield from (_identity_card(resident) for resident in population.residents.values())
    yield from (_property_certificate(found) for found in population.properties)


def _licence(enterprise: Enterprise) -> _Draft:
    extensions = {
        "KZ_LX": "有限责任公司",
        "KZ_FDDBR": enterprise.representative.name,
        "KZ_FDDBRZJH": enterprise.representative.id_number,
        "KZ_ZS": enterprise.address,
        "KZ_ZCZB": f"{enterprise.capital}万元人民币",
        "KZ_CLRQ": enterprise.established_on.isoformat(),
        "KZ_JYFW": f"{enterprise.trade}产品的设计、生产与销售",
    }
    if enterprise.former_names:
        extensions["KZ_CYM"] = HOLDER_SEPARATOR.join(enterprise.former_names)
    return _Draft("business_licence", enterprise.code, enterprise.established_on, (enterprise,), extensions)


def _identity_card(resident: Resident) -> _Draft:
    extensions = {
        "KZ_XB": resident.sex,
        "KZ_MZ": "汉",
        "KZ_CSRQ": resident.born_on.isoformat(),
        "KZ_ZZ": resident.address,
    }
    issued_on = date(2021, 1, 4) + timedelta(days=int(resident.id_number[6:14]) % 1400)
    return _Draft("resident_id", resident.id_number, issued_on, (resident,), extensions)


def _property_certificate(found: Property) -> _Draft:
    named = found.registered or tuple((owner.name, code_of(owner)) for owner in found.owners)
    extensions = {
        "KZ_BDCQZH": found.certificate_number,
        "KZ_BDCDYH": found.unit_code,
        "KZ_ZL": found.address,
        "KZ_QLR": HOLDER_SEPARATOR.join(name for name, _ in named),
        "KZ_QLRZJH": HOLDER_SEPARATOR.join(code for _, code in named),
        "KZ_GYQK": "共同共有" if len(found.owners) > 1 else "单独所有",
        "KZ_QLLX": "国有建设用地使用权/房屋所有权",
        "KZ_YT": found.use,
        "KZ_MJ": f"{found.area}平方米",
    }
    return _Draft(
        "property_certificate",
        found.certificate_number,
        found.registered_on,
        found.owners,
        extensions,
        registered=found.registered,
    )


def _approval(project: Project) -> _Draft:
    extensions = {
        "KZ_XMDM": project.code,
        "KZ_XMMC": project.name,
        "KZ_PFWH": project.approval_number,
        "KZ_JSDD": project.site,
        "KZ_JSGM": project.scale,
        "KZ_JSDW": project.builder.name,
        "KZ_JSDWDM": project.builder.code,
    }
    return _Draft("project_approval", project.approval_number, project.approved_on, (project.enterprise,), extensions)


def _qualification(found: Qualification) -> _Draft:
    extensions = {"KZ_ZZLB": found.category, "KZ_ZZDJ": found.grade, "KZ_ZZFW": found.scope}
    return _Draft(found.kind, found.number, found.issued_on, (found.enterprise,), extensions, found.valid_until_on)
