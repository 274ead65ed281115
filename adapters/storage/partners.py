"""Tables and repository of partners: organisations, keys, sharing agreements and endpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.plain import Plain, Rows
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.caller import Role
from gateway.partners.model import (
    AgreementStatus,
    Endpoint,
    Grant,
    KeyUse,
    Partner,
    PartnerKey,
    PartnerStatus,
    SharingAgreement,
)
from gateway.partners.ports import DIRECTORY
from gateway.transaction import Look

# ``insert_or`` compiles to the very same ``ON CONFLICT`` on SQLite; the conformance suite runs it on both.

partner_directory = Table(
    "partner_directory",
    metadata,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)
"""One row. Each change of the tables below adds one, so that other processes notice."""

partners = Table(
    "partners",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("regions", JsonDocument, nullable=False),
    Column("status", Text, nullable=False),
    Column("token_epoch", Integer, nullable=False),
    Column("registered_at", UtcInstant, nullable=False),
)

partner_keys = Table(
    "partner_keys",
    metadata,
    Column("partner_code", Text, ForeignKey("partners.code"), primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("thumbprint", Text, nullable=False),
    Column("jwk", JsonDocument, nullable=False),
    Column("use", Text, nullable=False),
    Column("valid_from", UtcInstant, nullable=False),
    Column("valid_until", UtcInstant),
    Column("revoked_at", UtcInstant),
    Index("uq_partner_keys_thumbprint", "thumbprint", unique=True),
)

sharing_agreements = Table(
    "sharing_agreements",
    metadata,
    Column("agreement_id", Text, primary_key=True),
    Column("partner_code", Text, ForeignKey("partners.code"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("grants", JsonDocument, nullable=False),
    Column("regions", JsonDocument, nullable=False),
    Column("stages", JsonDocument),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("clause", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("drafted_by", Text),
    Column("tested_by", Text),
    Column("approved_by", Text),
    Column("activated_by", Text),
    Index("ix_sharing_agreements_partner_code", "partner_code"),
)

partner_endpoints = Table(
    "partner_endpoints",
    metadata,
    Column("partner_code", Text, ForeignKey("partners.code"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret_ref", Text),
    Column("status_url", Text),
)

_VERSION = Plain("SELECT version FROM partner_directory")
_LOOK = Look(DIRECTORY)


def read_version(connection: Connection, _: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], int]:
    """``adapters.storage.read_ahead.Reader`` of ``DIRECTORY``."""
    return {(): _version_of(_VERSION.rows(connection))}


def _version_of(rows: Rows) -> int:
    return rows[0][0] if rows else 0


class SqlPartnerRepository:
    """``gateway.partners.ports.PartnerRepository``."""

    def __init__(self, statements: Statements, ahead: ReadAhead) -> None:
        self._statements = statements
        self._ahead = ahead

    def version(self) -> int:
        known: int | None = self._ahead.get(_LOOK)
        if known is not None:
            return known
        return _version_of(self._statements.say(_VERSION))

    def advance_version(self) -> int:
        first = insert_or(partner_directory).values(singleton=1, version=1)
        advanced = first.on_conflict_do_update(
            index_elements=[partner_directory.c.singleton], set_={"version": partner_directory.c.version + 1}
        ).returning(partner_directory.c.version)
        return int(self._statements.execute(advanced).scalar_one())

    def add_partner(self, partner: Partner) -> None:
        self._statements.execute(insert(partners).values(code=partner.code, **_partner_values(partner)))

    def replace_partner(self, partner: Partner) -> None:
        changed = update(partners).where(partners.c.code == partner.code).values(**_partner_values(partner))
        self._statements.execute(changed)

    def find_partner(self, code: str) -> Partner | None:
        row = self._statements.execute(select(partners).where(partners.c.code == code)).one_or_none()
        return None if row is None else _partner(row)

    def partners(self) -> Sequence[Partner]:
        return [_partner(row) for row in self._statements.execute(select(partners).order_by(partners.c.code))]

    def add_key(self, key: PartnerKey) -> None:
        self._statements.execute(insert(partner_keys).values(**_key_values(key)))

    def replace_key(self, key: PartnerKey) -> None:
        held = (partner_keys.c.partner_code == key.partner_code) & (partner_keys.c.kid == key.kid)
        self._statements.execute(update(partner_keys).where(held).values(**_key_values(key)))

    def find_key(self, partner_code: str, kid: str) -> PartnerKey | None:
        held = (partner_keys.c.partner_code == partner_code) & (partner_keys.c.kid == kid)
        row = self._statements.execute(select(partner_keys).where(held)).one_or_none()
        return None if row is None else _key(row)

    def key_registered(self, thumbprint: str) -> bool:
        known = select(partner_keys.c.kid).where(partner_keys.c.thumbprint == thumbprint)
        return self._statements.execute(known).first() is not None

    def partner_keys(self, partner_code: str | None = None) -> Sequence[PartnerKey]:
        query = select(partner_keys).order_by(partner_keys.c.partner_code, partner_keys.c.kid)
        return [_key(row) for row in self._statements.execute(_of(query, partner_keys, partner_code))]

    def add_agreement(self, agreement: SharingAgreement) -> None:
        self._statements.execute(insert(sharing_agreements).values(**_agreement_values(agreement)))

    def replace_agreement(self, agreement: SharingAgreement) -> None:
        which = sharing_agreements.c.agreement_id == agreement.agreement_id
        self._statements.execute(update(sharing_agreements).where(which).values(**_agreement_values(agreement)))

    def find_agreement(self, agreement_id: str) -> SharingAgreement | None:
        which = sharing_agreements.c.agreement_id == agreement_id
        row = self._statements.execute(select(sharing_agreements).where(which)).one_or_none()
        return None if row is None else _agreement(row)

    def agreements(self, partner_code: str | None = None) -> Sequence[SharingAgreement]:
        order = (sharing_agreements.c.partner_code, sharing_agreements.c.agreement_id)
        query = _of(select(sharing_agreements).order_by(*order), sharing_agreements, partner_code)
        return [_agreement(row) for row in self._statements.execute(query)]

    def put_endpoint(self, endpoint: Endpoint) -> None:
        place = {"url": endpoint.url, "secret_ref": endpoint.secret_ref, "status_url": endpoint.status_url}
        given = insert_or(partner_endpoints).values(
            partner_code=endpoint.partner_code, channel=endpoint.channel, **place
        )
        keyed = [partner_endpoints.c.partner_code, partner_endpoints.c.channel]
        self._statements.execute(given.on_conflict_do_update(index_elements=keyed, set_=place))

    def remove_endpoint(self, partner_code: str, channel: str) -> None:
        gone = (partner_endpoints.c.partner_code == partner_code, partner_endpoints.c.channel == channel)
        self._statements.execute(delete(partner_endpoints).where(*gone))

    def endpoints(self, partner_code: str | None = None) -> Sequence[Endpoint]:
        order = (partner_endpoints.c.partner_code, partner_endpoints.c.channel)
        query = _of(select(partner_endpoints).order_by(*order), partner_endpoints, partner_code)
        rows = self._statements.execute(query)
        return [Endpoint(row.partner_code, row.channel, row.url, row.secret_ref, row.status_url) for row in rows]


def _of(query: Select[Any], table: Table, partner_code: str | None) -> Select[Any]:
    return query if partner_code is None else query.where(table.c.partner_code == partner_code)


def _partner_values(partner: Partner) -> dict[str, Any]:
    return {
        "name": partner.name,
        "role": partner.role.value,
        "regions": list(partner.regions),
        "status": partner.status.value,
        "token_epoch": partner.token_epoch,
        "registered_at": partner.registered_at,
    }


def _partner(row: Row[Any]) -> Partner:
    return Partner(
        row.code,
        row.name,
        Role(row.role),
        tuple(row.regions),
        PartnerStatus(row.status),
        row.token_epoch,
        row.registered_at,
    )


def _key_values(key: PartnerKey) -> dict[str, Any]:
    return {
        "partner_code": key.partner_code,
        "kid": key.kid,
        "thumbprint": key.thumbprint,
        "jwk": dict(key.jwk),
        "use": key.use.value,
        "valid_from": key.valid_from,
        "valid_until": key.valid_until,
        "revoked_at": key.revoked_at,
    }


def _key(row: Row[Any]) -> PartnerKey:
    return PartnerKey(
        partner_code=row.partner_code,
        kid=row.kid,
        thumbprint=row.thumbprint,
        jwk=row.jwk,
        use=KeyUse(row.use),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
    )


def _agreement_values(agreement: SharingAgreement) -> dict[str, Any]:
    return {
        "agreement_id": agreement.agreement_id,
        "partner_code": agreement.partner_code,
        "purpose": agreement.purpose,
        "grants": [{"kind": grant.kind, "fields": sorted(grant.fields)} for grant in agreement.grants],
        "regions": list(agreement.regions),
        "stages": None if agreement.stages is None else sorted(agreement.stages),
        "valid_from": agreement.valid_from,
        "valid_until": agreement.valid_until,
        "clause": agreement.clause,
        "status": agreement.status.value,
        "drafted_by": agreement.drafted_by,
        "tested_by": agreement.tested_by,
        "approved_by": agreement.approved_by,
        "activated_by": agreement.activated_by,
    }


def _agreement(row: Row[Any]) -> SharingAgreement:
    return SharingAgreement(
        agreement_id=row.agreement_id,
        partner_code=row.partner_code,
        purpose=row.purpose,
        grants=tuple(Grant(grant["kind"], frozenset(grant["fields"])) for grant in row.grants),
        regions=tuple(row.regions),
        stages=None if row.stages is None else frozenset(row.stages),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        clause=row.clause,
        status=AgreementStatus(row.status),
        drafted_by=row.drafted_by,
        tested_by=row.tested_by,
        approved_by=row.approved_by,
        activated_by=row.activated_by,
    )
