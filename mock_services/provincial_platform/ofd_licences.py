"""E-certificates as OFD documents with the issuing authority's SM2 seal."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mock_services.authorities import Authority
from mock_services.ofd.pages import Licence, content_files
from mock_services.ofd.seal import VALUE, ElectronicSeal, pack, seal_document
from mock_services.pki import SEAL_VALID_UNTIL, VALID_FROM, ProvincialPki
from mock_services.population import Trouble
from mock_services.provincial_platform.certificates import Record
from schemas.ecertificates import EXTENSION_FIELDS, NO_END
from schemas.status_lists import StatusListReference

PAGE = "Doc_0/Pages/Page_0/Content.xml"
SEALED_FROM = datetime(2021, 1, 4, 2, tzinfo=UTC)
"""Before it nothing was sealed electronically: older certificates were sealed on this day."""


def seal_licence(record: Record, status: StatusListReference, pki: ProvincialPki) -> bytes:
    """The OFD of ``record``, right but for its trouble."""
    seal = electronic_seal(record.authority, pki)
    if record.trouble is Trouble.UNKNOWN_ISSUER:
        seal = electronic_seal(record.authority, ProvincialPki.build("http://unknown.invalid"))
    at = max(record.issued_at, SEALED_FROM)
    if record.trouble is Trouble.SEAL_EXPIRED:
        seal = replace(seal, until=at - timedelta(days=1))
    left_out = ("OFD.xml",) if record.trouble is Trouble.UNCOVERED else ()
    files = seal_document(content_files(_licence(record, status)), seal, at, leave_out=left_out)
    if record.trouble is Trouble.PAGE_CHANGED:
        files[PAGE] = files[PAGE].replace("有限责任公司".encode(), "股份有限公司".encode())
    found = pack(files)
    return break_seal(found) if record.trouble is Trouble.BROKEN_SIGNATURE else found


def electronic_seal(authority: Authority, pki: ProvincialPki) -> ElectronicSeal:
    """The authority's seal, as its maker made it."""
    signer, maker = pki.sm2_sealers(authority)
    return ElectronicSeal(
        f"SEAL-{authority.code}", f"{authority.name}电子证照专用章", signer, maker, VALID_FROM, SEAL_VALID_UNTIL
    )


def break_seal(document: bytes) -> bytes:
    """The same document with one bit of its signature value turned over."""
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    value = bytearray(files[VALUE])
    value[-4] ^= 1
    return pack(files | {VALUE: bytes(value)})


def _licence(record: Record, status: StatusListReference) -> Licence:
    metadata = record.metadata.model_dump(mode="json", by_alias=True, exclude_none=True)
    labels = {"CZZT": "持证主体", "CZZTDM": metadata["CZZTDMLX"], "ZZBH": "证照编号"}
    if metadata["ZZBH"] == metadata["CZZTDM"]:
        del labels["ZZBH"]
    labels |= EXTENSION_FIELDS[record.kind]
    shown = [(label, metadata[name]) for name, label in labels.items() if name in metadata]
    until = record.metadata.valid_until_on
    end = "长期" if until in (None, NO_END) else str(until)
    shown.append(("有效期", f"{record.metadata.valid_from_on} 至 {end}"))
    shown.append(("证照标识", record.identifier))
    place = {"x_ZTLB_URI": status.uri, "x_ZTLB_IDX": str(status.idx)}
    return Licence(
        record.metadata.name, record.authority.name, record.metadata.issued_on, metadata | place, tuple(shown)
    )
