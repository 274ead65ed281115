"""Signatures through the one seam: every scheme, good and bad, with the keys that are none among them."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer, parse_integer_pair
from gateway.crypto.sm2 import scalar_to_der, signature_to_raw

MESSAGE = "办电 message".encode()
# GM/T 0003.5-2012 annex A: the example on the recommended curve.
EXAMPLE_SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
EXAMPLE_MESSAGE = b"message digest"
EXAMPLE_R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
EXAMPLE_S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
INVALID, UNFIT = "SignatureInvalid", "KeyUnfit"
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo up to the digest (RFC 8017 §9.2, note 1)."""


def pair(r: int, s: int) -> bytes:
    return encode(Tag.SEQUENCE, encode_integer(r), encode_integer(s))


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def spki(private: Any) -> bytes:
    if isinstance(private, sm2.Sm2PrivateKey):
        return private.public_key.spki
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def cases() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "scheme": scheme,
            "encoding": encoding,
            "key": key.hex(),
            "message": message.hex(),
            "signature": signature.hex(),
            "refused": refused,
            "why": why,
        }
        for name, scheme, encoding, key, message, signature, refused, why in (*_sm2(), *_ecdsa(), *_ed25519(), *_rsa())
    ]


Case = tuple[str, str, str | None, bytes, bytes, bytes, str | None, str]


def _sm2() -> Iterator[Case]:
    example = sm2.private_key(scalar_to_der(EXAMPLE_SCALAR))
    key, message, r, s = spki(example), EXAMPLE_MESSAGE, EXAMPLE_R, EXAMPLE_S
    good, der = raw(r, s), pair(r, s)

    def of(name: str, signature: bytes, refused: str | None, why: str, encoding: str | None = None) -> Case:
        return f"sm2-{name}", "SM2-SM3", encoding, key, message, signature, refused, why

    yield of("example", good, None, "Nothing is wrong with it: GM/T 0003.5 annex A as r‖s.")
    yield of("example-der", der, None, "Nothing is wrong with it: GM/T 0003.5 annex A in DER.")
    yield of("der-as-raw", der, INVALID, "DER where a token's r‖s is demanded.", "raw")
    yield of("raw-as-der", good, INVALID, "r‖s where a certificate's DER is demanded.", "der")
    yield of("zero-r", pair(0, s), INVALID, "r is 0.")
    yield of("zero-s", pair(r, 0), INVALID, "s is 0.")
    yield of("zero-raw", bytes(64), INVALID, "r and s are 0, as r‖s.")
    yield of("r-is-order", pair(SM2_ORDER, s), INVALID, "r is the order n.")
    yield of("s-is-order", raw(r, SM2_ORDER), INVALID, "s is the order n, as r‖s.")
    yield of("s-plus-order", pair(r, s + SM2_ORDER), INVALID, "s + n: the same residue in another spelling.")
    yield of("t-is-zero", pair(r, SM2_ORDER - r), INVALID, "r + s = n, so t is 0 (GB/T 32918.2 §7.1 B5).")
    yield of("negated-s", pair(r, SM2_ORDER - s), INVALID, "n − s, which ECDSA would take and SM2 does not.")
    yield of("swapped", pair(s, r), INVALID, "r and s change places.")
    yield of(
        "negative",
        encode(Tag.SEQUENCE, encode(2, good[:32]), encode_integer(s)),
        INVALID,
        "r without its leading zero octet is negative.",
    )
    yield of(
        "padded-integer",
        encode(Tag.SEQUENCE, encode(2, b"\0\0" + good[:32]), encode_integer(s)),
        INVALID,
        "r with a zero octet too many.",
    )
    yield of(
        "long-length", b"\x30\x81" + der[1:], INVALID, "The length in long form, which BER allows and DER does not."
    )
    yield of("indefinite", b"\x30\x80" + der[2:] + b"\0\0", INVALID, "Indefinite length: BER.")
    yield of("trailing", der + b"\0", INVALID, "A byte follows the signature.")
    yield of("trailing-inside", encode(Tag.SEQUENCE, der[2:], b"\x05\0"), INVALID, "A third element stands inside.")
    yield of("short", good[:-1], INVALID, "The last byte is missing.")
    yield of("empty", b"", INVALID, "There is no signature.")
    yield "sm2-other-message", "SM2-SM3", None, key, message + b".", good, INVALID, "The message goes on for one byte."
    yield (
        "sm2-point",
        "SM2-SM3",
        None,
        key[26:],
        message,
        good,
        None,
        "Nothing is wrong with it: the key is a bare point.",
    )
    yield "sm2-other-key", "SM2-SM3", None, spki(sm2.generate_private_key()), message, good, INVALID, "Another key."
    off = key[:-1] + bytes([key[-1] ^ 1])
    yield "sm2-off-curve", "SM2-SM3", None, off, message, good, UNFIT, "The key's point is not on the curve."
    p256 = key.replace(bytes.fromhex("2a811ccf5501822d"), bytes.fromhex("2a8648ce3d030107"))
    yield "sm2-key-on-p256", "SM2-SM3", None, p256, message, good, UNFIT, "The key names the curve P-256."
    yield "sm2-by-es256", "ES256", None, key, message, good, UNFIT, "An SM2 key for ECDSA."
    for ident, why in (
        (b"", "the empty ID, OpenSSL's default"),
        (b"ALICE123@YAHOO.COM", "another ID than the standard's"),
    ):
        other = _signed_as(ident)
        yield f"sm2-id-{len(ident)}", "SM2-SM3", None, other[0], MESSAGE, other[1], INVALID, f"It was made under {why}."


def _signed_as(identity: bytes) -> tuple[bytes, bytes]:
    """Key and signature of somebody who puts another ID into Z (GB/T 32918.2 §5.5)."""
    library = sm2.Sm2Library()
    private = library.generate_private_key()
    kept = sm2.SIGNER_ID
    sm2.SIGNER_ID = identity  # type: ignore[misc]
    try:
        return private.public_key.spki, signature_to_raw(private.sign(MESSAGE))
    finally:
        sm2.SIGNER_ID = kept  # type: ignore[misc]


def _ecdsa() -> Iterator[Case]:
    private = ec.generate_private_key(ec.SECP256R1())
    key, der = spki(private), private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    r, s = parse_integer_pair(der)
    good = raw(r, s)

    def of(name: str, signature: bytes, refused: str | None, why: str, scheme: str = "ES256") -> Case:
        return f"ecdsa-{name}", scheme, None, key, MESSAGE, signature, refused, why

    yield of("raw", good, None, "Nothing is wrong with it: ES256 as tokens have it.")
    yield of("der", der, None, "Nothing is wrong with it: as certificates have it.", "ecdsa-with-SHA256")
    yield of(
        "malleable", raw(r, P256_ORDER - s), None, "n − s verifies too: replays are known by meaning, not by bytes."
    )
    yield of("der-in-token", der, INVALID, "DER where r‖s is demanded.")
    yield of("raw-in-certificate", good, INVALID, "r‖s where DER is demanded.", "ecdsa-with-SHA256")
    yield of("long", b"\0" + good, INVALID, "A byte too long.")
    yield of(
        "stuffed", good[:32] + b"\0" + good[32:], INVALID, "A zero octet stands between r and s: the same numbers."
    )
    yield of("zero", bytes(64), INVALID, "r and s are 0 (CVE-2022-21449).")
    yield of("order", raw(P256_ORDER, P256_ORDER), INVALID, "r and s are the order.")
    yield of("other-hash", der, INVALID, "It was made over SHA-256.", "ecdsa-with-SHA384")
    yield of("other-curve", good, UNFIT, "A P-256 key for ES384.", "ES384")
    wide = ec.generate_private_key(ec.SECP384R1())
    crossed = wide.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    yield (
        "ecdsa-p384-sha256",
        "ecdsa-with-SHA256",
        None,
        spki(wide),
        MESSAGE,
        crossed,
        None,
        "Nothing is wrong with it: X.509 leaves the curve to the key.",
    )


def _ed25519() -> Iterator[Case]:
    private = ed25519.Ed25519PrivateKey.generate()
    key, good = spki(private), private.sign(MESSAGE)
    yield "ed25519", "EdDSA", None, key, MESSAGE, good, None, "Nothing is wrong with it."
    s = int.from_bytes(good[32:], "little") + ED25519_ORDER
    twin = good[:32] + s.to_bytes(32, "little")
    yield (
        "ed25519-s-plus-order",
        "EdDSA",
        None,
        key,
        MESSAGE,
        twin,
        INVALID,
        "S + L: the same residue in another spelling.",
    )
    neutral = key[:-32] + b"\x01" + bytes(31)
    forged = bytes.fromhex("58" + "66" * 31) + b"\x01" + bytes(31)
    yield (
        "ed25519-neutral",
        "EdDSA",
        None,
        neutral,
        MESSAGE,
        forged,
        UNFIT,
        "The key is the neutral point: this signature fits every message.",
    )


def _rsa() -> Iterator[Case]:
    private = rsa.generate_private_key(65537, 2048)
    key, numbers = spki(private), private.private_numbers()
    n, d = numbers.public_numbers.n, numbers.d

    def padded(info: bytes, filling: bytes = b"\xff", tail: bytes = b"", kind: int = 1) -> bytes:
        """RSASSA-PKCS1-v1_5 over any padding at all."""
        length = 256 - 3 - len(info) - len(tail)
        block = b"\0" + bytes([kind]) + (filling * length)[:length] + b"\0" + info + tail
        return pow(int.from_bytes(block, "big"), d, n).to_bytes(256, "big")

    info = SHA256_INFO + sha256(MESSAGE).digest()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    table: list[tuple[str, str, bytes, str | None, str]] = [
        ("pkcs1", "RS256", padded(info), None, "Nothing is wrong with it."),
        ("pss", "PS256", private.sign(MESSAGE, pss, hashes.SHA256()), None, "Nothing is wrong with it."),
        ("pss-as-pkcs1", "RS256", private.sign(MESSAGE, pss, hashes.SHA256()), INVALID, "The other padding."),
        ("pkcs1-as-pss", "PS256", padded(info), INVALID, "The other padding."),
        ("garbage-behind", "RS256", padded(info, tail=b"\x07" * 190), INVALID, "Bytes follow the digest (Bleichenbacher 2006)."),
        ("short-padding", "RS256", padded(info, filling=b"\xff\0"), INVALID, "The padding ends too soon."),
        ("block-type-2", "RS256", padded(info, kind=2), INVALID, "The padding of encryption."),
        ("no-null", "RS256", padded(bytes.fromhex("302f300b0609608648016503040201") + info[17:]), INVALID, "DigestInfo without its NULL."),
        ("bare-digest", "RS256", padded(info[-32:]), INVALID, "The digest without DigestInfo."),
        ("sha1-digest", "RS256", padded(bytes.fromhex("3021300906052b0e03021a05000414") + bytes(20)), INVALID, "A SHA-1 DigestInfo."),
        ("leading-zero", "RS256", b"\0" + padded(info), INVALID, "A byte longer than the modulus."),
        ("plus-modulus", "RS256", (int.from_bytes(padded(info), "big") + n).to_bytes(257, "big"), INVALID, "s + n: the same residue."),
        ("one", "RS256", (1).to_bytes(256, "big"), INVALID, "The signature 1."),
    ]  # fmt: skip
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), 0)
    table.append(
        ("pss-no-salt", "PS256", private.sign(MESSAGE, salted, hashes.SHA256()), INVALID, "A salt of 0 octets.")
    )
    for name, scheme, signature, refused, why in table:
        yield f"rsa-{name}", scheme, None, key, MESSAGE, signature, refused, why
    small = rsa.generate_private_key(65537, 1024)
    weak = small.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    yield "rsa-1024", "RS256", None, spki(small), MESSAGE, weak, UNFIT, "The modulus has 1024 bits."
    explained = "The public exponent is 1: the padding itself is the signature."
    block = b"\0\x01" + b"\xff" * 202 + b"\0" + info
    yield "rsa-exponent-one", "RS256", None, _rsa_spki(n, 1), MESSAGE, block, UNFIT, explained


def _rsa_spki(n: int, e: int) -> bytes:
    algorithm = encode(Tag.SEQUENCE, bytes.fromhex("06092a864886f70d010101"), b"\x05\x00")
    key = encode(Tag.SEQUENCE, encode_integer(n), encode_integer(e))
    return encode(Tag.SEQUENCE, algorithm, encode(Tag.BIT_STRING, b"\0" + key))
