"""Seals a document: SES seal and signature in version 4 (GB/T 38540), Signature.xml and the archive (GB/T 33190)."""

import base64
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import quoteattr

from mock_services.der import bits, generalized_time, ia5, integer, octets, oid, sequence, utf8
from mock_services.ofd.pages import HEAD, NAMESPACE, SEAL_BOX, SIGNATURES
from mock_services.ofd.picture import seal_picture
from mock_services.pki_sm2 import Sm2Holder
from mock_services.sm2 import DIGEST_OID, SM2_WITH_SM3, sm3

FOLDER = "Doc_0/Signs/Sign_0"
SIGNATURE, SEAL, VALUE = f"{FOLDER}/Signature.xml", f"{FOLDER}/Seal.esl", f"{FOLDER}/SignedValue.dat"
_CHINA = timedelta(hours=8)
_ALGORITHM = oid(SM2_WITH_SM3)
_PROVIDER = "bandian-mock"


@dataclass(frozen=True)
class ElectronicSeal:
    """An authority's seal (电子印章): who may use it, who made it, and from when until when it is in force."""

    number: str
    name: str
    signer: Sm2Holder
    maker: Sm2Holder
    since: datetime
    until: datetime

    def encoded(self) -> bytes:
        """SES_Seal: the maker signs SealInfo alone."""
        width, height = SEAL_BOX[2:]
        info = sequence(
            sequence(ia5("ES"), integer(4), ia5(_PROVIDER)),
            ia5(self.number),
            sequence(
                integer(1),
                utf8(self.name),
                integer(1),
                sequence(octets(self.signer.certificate)),
                generalized_time(self.since),
                generalized_time(self.since),
                generalized_time(self.until),
            ),
            sequence(ia5("PNG"), octets(seal_picture()), integer(width), integer(height)),
        )
        return sequence(info, octets(self.maker.certificate), _ALGORITHM, bits(self.maker.key.sign(info)))


def seal_document(
    files: dict[str, bytes], seal: ElectronicSeal, at: datetime, *, leave_out: Iterable[str] = ()
) -> dict[str, bytes]:
    """``files`` with one signature over all of them, made at ``at``. What is to be left out it does not cover."""
    sealed = dict(files)
    sealed[SIGNATURES] = _xml(
        f'<ofd:Signatures {NAMESPACE}><ofd:MaxSignId>1</ofd:MaxSignId><ofd:Signature ID="1" Type="Seal" '
        f'BaseLoc="/{SIGNATURE}"/></ofd:Signatures>'
    )
    encoded = seal.encoded()
    sealed[SEAL] = encoded
    left_out = {SIGNATURES, *leave_out}
    sealed[SIGNATURE] = _description({path: data for path, data in sealed.items() if path not in left_out}, at)
    body = sequence(integer(4), encoded, generalized_time(at), bits(sm3(sealed[SIGNATURE])), ia5(f"/{SIGNATURE}"))
    sealed[VALUE] = sequence(body, octets(seal.signer.certificate), _ALGORITHM, bits(seal.signer.key.sign(body)))
    return sealed


def pack(files: dict[str, bytes]) -> bytes:
    """The archive; the same files make the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _description(covered: dict[str, bytes], at: datetime) -> bytes:
    references = "".join(
        f"<ofd:Reference FileRef={quoteattr('/' + path)}><ofd:CheckValue>{base64.b64encode(sm3(data)).decode()}"
        "</ofd:CheckValue></ofd:Reference>"
        for path, data in covered.items()
    )
    box = " ".join(str(each) for each in SEAL_BOX)
    return _xml(
        f'<ofd:Signature {NAMESPACE}><ofd:SignedInfo><ofd:Provider ProviderName="{_PROVIDER}" Version="1"/>'
        f"<ofd:SignatureMethod>{SM2_WITH_SM3}</ofd:SignatureMethod>"
        f"<ofd:SignatureDateTime>{(at + _CHINA).strftime('%Y%m%d%H%M%S')}</ofd:SignatureDateTime>"
        f'<ofd:References CheckMethod="{DIGEST_OID}">{references}</ofd:References>'
        f'<ofd:StampAnnot ID="1" PageRef="1" Boundary="{box}"/>'
        f"<ofd:Seal><ofd:BaseLoc>/{SEAL}</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        f"<ofd:SignedValue>/{VALUE}</ofd:SignedValue></ofd:Signature>"
    )


def _xml(body: str) -> bytes:
    return (HEAD + body).encode()
