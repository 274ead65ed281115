"""Signature algorithms as seals and signed messages name them."""

from typing import Final

from gateway.crypto.errors import AlgorithmUnavailable, SignatureInvalid
from gateway.crypto.schemes import SCHEME_BY_OID, Encoding, Scheme
from gateway.crypto.signatures import verify_signature

_SCHEMES: Final = SCHEME_BY_OID | {"1.2.156.10197.1.301": Scheme.SM2_SM3, "1.2.156.10197.1.301.1": Scheme.SM2_SM3}
"""Seal makers also write the SM2 curve's or SM2-1's identifier where SM2-with-SM3 is meant."""
_NAMES: Final = {"SM2": Scheme.SM2_SM3, "SM2WITHSM3": Scheme.SM2_SM3, "SM3WITHSM2": Scheme.SM2_SM3}


def seal_scheme(name: str | None) -> Scheme | None:
    """The scheme that an identifier or a SignatureMethod's text names; None when it is not spoken here."""
    if name is None:
        return None
    plain = name.strip()
    return _SCHEMES.get(plain) or _NAMES.get(plain.upper().replace("-", ""))


def verify_seal_signature(name: str, public_key_info: bytes, messages: tuple[bytes, ...], signature: bytes) -> None:
    """Prove ``signature`` over one of ``messages``, which all commit to the same content. SM2 may be r‖s or DER.

    Raises as `verify_signature`; an unknown algorithm is `AlgorithmUnavailable`.
    """
    scheme = seal_scheme(name)
    if scheme is None:
        raise AlgorithmUnavailable(remedy="签名算法不在共享平台支持的范围内")
    encoding = Encoding.EITHER if scheme is Scheme.SM2_SM3 else Encoding.DER
    for position, message in enumerate(messages, 1):
        try:
            verify_signature(scheme, public_key_info, message, signature, encoding=encoding)
        except SignatureInvalid:
            if position == len(messages):
                raise
            continue
        return
    raise SignatureInvalid
