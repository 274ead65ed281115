"""What the licences room asks of the unit of work."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.applications.model import GridConnectionApplication, Party
from gateway.applications.ports import ApplicationRepository
from gateway.authorisations.model import Authorisation
from gateway.authorisations.ports import AuthorisationRepository
from gateway.certificates.named_persons import NamedPersons
from gateway.certificates.ports import CertificateCopies
from gateway.certificates.proofs import EvidenceShelf
from gateway.partners.ports import PartnerRepository
from gateway.records.ports import RecordAppender

CASE = "licence_case"
"""``Look.what`` of a case; the key is its application's number."""


@dataclass(frozen=True)
class Case:
    """What the database knows of the application that a request names. ``stamp`` stands for all that was read."""

    application: GridConnectionApplication | None
    authorisation: Authorisation | None
    party: Party | None
    stamp: object = field(default=None, repr=False)


class Cases(Protocol):
    """Applications as licences are answered from them."""

    def read(self, application_id: str) -> Case:
        """As it stands in the unit of work; all of it is None where there is no such application."""
        ...

    def stands(self, application_id: str, stamp: object) -> bool:
        """Whether not a byte of it changed since; nobody changes its authorisation until the unit of work is over."""
        ...


class AskedHolders(Protocol):
    """Third parties that an application asked for, by keyed digest."""

    def of(self, application_id: str, kind: str) -> AbstractSet[str]:
        """The digests of the holders of ``kind`` that were asked for."""
        ...

    def add(self, application_id: str, kind: str, holder_digest: str, at: datetime) -> None:
        """Remember one that was not asked for before."""
        ...


class LicencesTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def cases(self) -> Cases: ...
    @property
    def certificate_copies(self) -> CertificateCopies: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def asked_holders(self) -> AskedHolders: ...
    @property
    def evidence(self) -> EvidenceShelf: ...
    @property
    def named_persons(self) -> NamedPersons: ...
    @property
    def partners(self) -> PartnerRepository: ...
    @property
    def records(self) -> RecordAppender: ...
