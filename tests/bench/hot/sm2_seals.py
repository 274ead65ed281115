"""The recorded e-certificates once more, sealed by the same authorities with their SM2 keys (国密)."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mock_services.authorities import AUTHORITIES
from mock_services.pki import ProvincialPki
from schemas.wire import Typ
from tests.bench.hot.tokens import base64url


def sealed_anew(answers: dict[str, str], pki: ProvincialPki) -> dict[str, str]:
    """The platform's answers by question, in base64, each file among them under an SM2 seal over the same content."""
    return {asked: _sealed_anew(answer, pki) for asked, answer in answers.items()}


def _sealed_anew(answer: str, pki: ProvincialPki) -> str:
    body = json.loads(base64.b64decode(answer))
    if "fileData" not in (body.get("data") or {}):
        return answer
    envelope = base64.b64decode(body["data"]["fileData"])
    body["data"]["fileData"] = base64.b64encode(_sealed(envelope, pki)).decode()
    return base64.b64encode(json.dumps(body, ensure_ascii=False).encode()).decode()


def _sealed(envelope: bytes, pki: ProvincialPki) -> bytes:
    payload = envelope.split(b".")[1]
    code = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["iss"]
    authority = next(each for each in AUTHORITIES if each.code == code)
    signer, _ = pki.sm2_sealers(authority)
    chain = (signer.certificate, pki.sm2_department(authority).holder.certificate)
    header = {
        "typ": Typ.CERTIFICATE.value,
        "alg": "SM2-SM3",
        "x5c": [base64.b64encode(each).decode() for each in chain],
    }
    signing_input = base64url(json.dumps(header, separators=(",", ":")).encode()) + b"." + payload
    r, s = decode_dss_signature(signer.key.sign(signing_input))
    return signing_input + b"." + base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
