"""What takes the place of an e-certificate: a newer version of it, or the new owner's."""

import re
from datetime import date

from mock_services.population import Enterprise, Resident, code_of
from mock_services.provincial_platform.certificates import Record
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT, HOLDER_TYPE_NAMES, ECertificateMetadata
from schemas.identifiers import ECertificateIdentifier

_LAST_VERSION = 999


def reissued(record: Record, on: date) -> ECertificateMetadata:
    """换发: the same certificate, issued anew on the China date ``on``; its 电子证照标识 has the next version."""
    now = ECertificateIdentifier.parse(record.identifier)
    version = f"{min(int(now.version) + 1, _LAST_VERSION):03d}"
    identifier = ECertificateIdentifier.make(now.type_code, now.issuer, now.serial, version)
    return record.metadata.model_copy(update={"identifier": str(identifier), "issued_on": on})


def transferred(record: Record, owner: Resident | Enterprise, serial: int, on: date) -> ECertificateMetadata:
    """转移登记: another certificate of the same property, in the name of ``owner``, registered on ``on``."""
    now = ECertificateIdentifier.parse(record.identifier)
    identifier = ECertificateIdentifier.make(now.type_code, now.issuer, f"{on.year}{serial:08d}")
    holder_type = HOLDER_IS_RESIDENT if isinstance(owner, Resident) else HOLDER_IS_ENTERPRISE
    number = re.sub(r"\(\d{4}\)(.*第)\d+号", rf"({on.year})\g<1>{serial:07d}号", record.metadata.number)
    return record.metadata.model_copy(
        update={
            "identifier": str(identifier),
            "number": number,
            "issued_on": on,
            "valid_from_on": on,
            "holder": owner.name,
            "holder_code": code_of(owner),
            "holder_code_type": HOLDER_TYPE_NAMES[holder_type],
            "holder_code_type_code": holder_type,
            "KZ_BDCQZH": number,
            "KZ_QLR": owner.name,
            "KZ_QLRZJH": code_of(owner),
            "KZ_GYQK": "单独所有",
        }
    )
