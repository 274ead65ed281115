"""The documents that an application begins with: every one that its class's first stage allows to be fetched."""

from datetime import datetime

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.found_documents import FoundDocument, Search, find_documents
from gateway.applications.model import Party
from gateway.applications.requirements import Provider, allowed_documents
from gateway.applications.stages import stages_of
from gateway.applications.submission import use_purpose
from gateway.certificates.service import CertificateService
from gateway.clock import date_in_china


async def documents_of_first_stage(
    certificates: CertificateService, party: Party, region: str, customer_class: CustomerClass, at: datetime
) -> list[FoundDocument]:
    """What sources hold of them for ``party`` in ``region``, verified at the aware instant ``at``."""
    stage = stages_of(customer_class)[0]
    rows = allowed_documents(customer_class, stage, date_in_china(at), party.applicant_kind)
    cause = customer_class.chinese_title + stage.chinese_title
    search = Search.for_party(party, region, use_purpose(cause), at)
    return await find_documents(certificates, tuple(row for row in rows if row.provider is Provider.SOURCE), search)
