"""SM2 verification through the seam against a bare loop of the EVP calls that it cannot do without."""

from collections.abc import Iterator

from gateway.crypto import sm2
from gateway.crypto.signatures import Encoding, verify_signature
from tests.bench.paired import Comparison, Work, compare

MESSAGE = b"\x30" * 700
"""About the size of a certificate's signed part."""


def measure(*, seconds: float, rounds: int) -> Iterator[Comparison]:
    """The seam as certificates use it (DER, key by its bytes) and as tokens do (r‖s); ≥ 0.9 is expected of both."""
    private = sm2.generate_private_key()
    der = private.sign(MESSAGE)
    raw, spki = sm2.signature_to_raw(der), private.public_key.spki
    for name, signature, encoding in (("DER", der, Encoding.DER), ("r‖s", raw, Encoding.RAW)):

        def through_the_seam(count: int, signature: bytes = signature, encoding: Encoding = encoding) -> None:
            for _ in range(count):
                verify_signature("SM2-SM3", spki, MESSAGE, signature, encoding=encoding)

        yield compare(
            f"SM2 verify, seam ÷ bare EVP ({name})",
            through_the_seam,
            bare_evp(private.public_key, der),
            seconds=seconds,
            rounds=rounds,
        )


def bare_evp(key: sm2.Sm2PublicKey, signature: bytes) -> Work:
    """The fewest EVP calls that verify one signature under a parsed key and the standard's ID, and nothing else."""
    library = sm2.library()
    evp, digest, handle = library.loaded, library.sm3, key.handle
    identity, size, length = sm2.SIGNER_ID, len(signature), len(MESSAGE)

    def work(count: int) -> None:
        verified = 0
        for _ in range(count):
            context, key_context = evp.EVP_MD_CTX_new(), evp.EVP_PKEY_CTX_new(handle, None)
            evp.EVP_PKEY_CTX_set1_id(key_context, identity, len(identity))
            evp.EVP_MD_CTX_set_pkey_ctx(context, key_context)
            evp.EVP_DigestVerifyInit(context, None, digest, None, handle)
            verified += evp.EVP_DigestVerify(context, signature, size, MESSAGE, length) == 1
            evp.EVP_MD_CTX_free(context)
            evp.EVP_PKEY_CTX_free(key_context)
        if verified != count:
            raise AssertionError("the bare loop did not verify what it should")

    return work
