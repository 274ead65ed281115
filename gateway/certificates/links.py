"""One signature of an X.509 path or of a CRL: was it made by that certificate's key? RFC 5280 §4.1.1.2."""

from gateway.certificates.signing_certificates import SigningCertificate
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import SCHEME_BY_OID, Encoding, verify_signature


def signed_by(signed: bytes, signature: bytes, signature_oid: str, issuer: SigningCertificate) -> bool:
    """Whether ``issuer``'s key signed the original bytes ``signed``. SM2 links go through the same seam.

    Raises ``AlgorithmUnavailable`` when the algorithm is not spoken here, so that "unknown" is not mistaken for "no".
    """
    scheme = SCHEME_BY_OID.get(signature_oid)
    if scheme is None:
        raise AlgorithmUnavailable(remedy="证书或吊销列表的签名算法不在共享平台支持的范围内")
    try:
        verify_signature(scheme, issuer.public_key_info, signed, signature, encoding=Encoding.DER)
    except (SignatureInvalid, KeyUnfit):
        return False
    return True
