"""SM2 with SM3 (GB/T 32918.2, GM/T 0003) on the system's libcrypto, through EVP: no signature is made in Python.

Any OpenSSL 3 with SM2 will do, and Tongsuo (8.4 or newer) drops in by its path. The library is loaded and proved
against the standard's own example at start (`self_test`) or at first use; when none is capable, everything else of the
gateway works and SM2 answers `AlgorithmUnavailable`. The signer's ID is always set to ``1234567812345678``
(GM/T 0009 §10): OpenSSL's default is the *empty* ID, under which no Chinese signature verifies.

Threads: an `Sm2PublicKey` or `Sm2PrivateKey` is read-only after it is made and may serve many threads; each operation
has its own digest context, and OpenSSL's error queue is per thread. ctypes lets go of the GIL for the length of a call.
"""

import ctypes
import ctypes.util
import threading
import weakref
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import lru_cache
from typing import Final

from gateway.crypto.der import Tag, encode, encode_integer, parse_integer_pair
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.schemes import Encoding
from gateway.wording.phrases import Phrase

SIGNER_ID: Final = b"1234567812345678"
KEY_CACHE_SIZE: Final = 1024
"""Parsed public keys kept; one costs about 2 KB and 20 µs to make anew."""

_SPKI_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""SubjectPublicKeyInfo of an uncompressed point on the SM2 curve, up to the point itself: the one form taken."""
_PRIME: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_ORDER_OCTETS: Final = _ORDER.to_bytes(32, "big")
_ZERO_OCTETS: Final = bytes(32)
_MAX_SIGNATURE: Final = 72
_CANDIDATES: Final = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll", "libcrypto.so")

# GM/T 0003.5-2012 annex A (the example on the recommended curve), same as GB/T 32918.5-2017 annex A.
_EXAMPLE_SCALAR: Final = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
_EXAMPLE_POINT: Final = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_EXAMPLE_MESSAGE: Final = b"message digest"
_EXAMPLE_SIGNATURE: Final = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)

_FUNCTIONS: Final[tuple[tuple[str, object, tuple[object, ...]], ...]] = (
    ("EVP_MD_fetch", c_void_p, (c_void_p, c_char_p, c_char_p)),
    ("EVP_MD_CTX_new", c_void_p, ()),
    ("EVP_MD_CTX_free", None, (c_void_p,)),
    ("EVP_MD_CTX_set_pkey_ctx", None, (c_void_p, c_void_p)),
    ("EVP_PKEY_CTX_new", c_void_p, (c_void_p, c_void_p)),
    ("EVP_PKEY_CTX_new_from_name", c_void_p, (c_void_p, c_char_p, c_char_p)),
    ("EVP_PKEY_CTX_free", None, (c_void_p,)),
    ("EVP_PKEY_CTX_set1_id", c_int, (c_void_p, c_char_p, c_size_t)),
    ("EVP_PKEY_keygen_init", c_int, (c_void_p,)),
    ("EVP_PKEY_generate", c_int, (c_void_p, POINTER(c_void_p))),
    ("EVP_PKEY_free", None, (c_void_p,)),
    ("EVP_PKEY_is_a", c_int, (c_void_p, c_char_p)),
    ("EVP_DigestVerifyInit", c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    ("EVP_DigestVerify", c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    ("EVP_DigestSignInit", c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    ("EVP_DigestSign", c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    ("d2i_PUBKEY", c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    ("d2i_AutoPrivateKey", c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    ("i2d_PUBKEY", c_int, (c_void_p, c_void_p)),
    ("i2d_PrivateKey", c_int, (c_void_p, c_void_p)),
    ("ERR_clear_error", None, ()),
    ("OpenSSL_version", c_char_p, (c_int,)),
)


def point_of(spki: bytes) -> bytes | None:
    """The point ``04‖x‖y`` of a SubjectPublicKeyInfo on the SM2 curve; None for any other form. Needs no library."""
    return spki[26:] if len(spki) == 91 and spki.startswith(_SPKI_PREFIX) and spki[26] == 4 else None


def spki_of(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of ``04‖x‖y``, when it lies on the curve (GB/T 32918.5). Raises `KeyUnfit`.

    Needs no library, so that key sets can be read without one.
    """
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    if len(point) != 65 or point[0] != 4 or not (x < _PRIME and y < _PRIME) or (y * y - x**3 + 3 * x - _B) % _PRIME:
        raise KeyUnfit(remedy="SM2 公钥不在曲线上")
    return _SPKI_PREFIX + point


class Sm2PublicKey:
    """A point on the SM2 curve, parsed once. Make it with `public_key`.

    ``spki`` is its SubjectPublicKeyInfo in DER, ``handle`` the library's own key, which lives as long as this object.
    """

    __slots__ = ("__weakref__", "_library", "handle", "spki")

    def __init__(self, library: "Sm2Library", handle: int, spki: bytes) -> None:
        self._library = library
        self.handle = handle
        self.spki = spki
        weakref.finalize(self, library.free_key, handle).atexit = False

    def verify(self, message: bytes, signature: bytes, encoding: Encoding = Encoding.EITHER) -> None:
        """Prove ``signature`` over ``message``. Raises `SignatureInvalid`."""
        if not self._library.verify(self.handle, message, signature_to_der(signature, encoding)):
            raise SignatureInvalid(check="signature.sm2")


class Sm2PrivateKey:
    """An SM2 signing key. Make it with `generate_private_key` or `private_key`."""

    __slots__ = ("__weakref__", "_library", "handle", "public_key")

    def __init__(self, library: "Sm2Library", handle: int) -> None:
        self._library = library
        self.handle = handle
        weakref.finalize(self, library.free_key, handle).atexit = False
        self.public_key = library.public_key(library.export(handle, "i2d_PUBKEY"))

    def sign(self, message: bytes) -> bytes:
        """A fresh signature over ``message`` in DER; `signature_to_raw` gives r‖s. Raises `AlgorithmUnavailable`."""
        return self._library.sign(self.handle, message)

    def to_der(self) -> bytes:
        """The key as SEC 1 ``ECPrivateKey`` with named curve, unencrypted: for generated test keys and key stores."""
        return self._library.export(self.handle, "i2d_PrivateKey")


class Sm2Library:
    """One loaded libcrypto, proved by the standard's example before it is used.

    ``path`` is a file name or path for the dynamic loader; None tries the system's own. Raises `AlgorithmUnavailable`
    when no library loads, lacks a function (OpenSSL before 3, LibreSSL), was built without SM2, or fails the example.
    """

    def __init__(self, path: str | None = None) -> None:
        self._c = _load(path)
        self._c.ERR_clear_error()
        # The bare function, so that a key's finalizer holds no reference to the library and its key cache.
        self.free_key = self._c.EVP_PKEY_free
        # Held for the life of the library: an explicit fetch spares a look-up at each signature.
        self.sm3 = self._c.EVP_MD_fetch(None, b"SM3", None)
        if not self.sm3:
            raise self._unavailable("密码库不含 SM3")
        self.public_key = lru_cache(maxsize=KEY_CACHE_SIZE)(self._parse_public_key)
        self._prove()

    @property
    def loaded(self) -> ctypes.CDLL:
        """The loaded library itself, with the functions' types declared: for benchmarks and tests of this module."""
        return self._c

    @property
    def version(self) -> str:
        """What the library says of itself, for ``inspect`` and readiness pages."""
        return str((self._c.OpenSSL_version(0) or b"").decode(errors="replace"))

    def _parse_public_key(self, encoded: bytes) -> Sm2PublicKey:
        spki = _SPKI_PREFIX + encoded if len(encoded) == 65 and encoded[0] == 4 else encoded
        if point_of(spki) is None:
            raise KeyUnfit(remedy="不是 SM2 公钥（仅接受未压缩点）")
        handle = self._c.d2i_PUBKEY(None, byref(c_char_p(spki)), len(spki))
        if not handle:
            self._c.ERR_clear_error()
            raise KeyUnfit(remedy="SM2 公钥不在曲线上")
        return Sm2PublicKey(self, handle, spki)

    def private_key(self, der: bytes) -> Sm2PrivateKey:
        """A key from PKCS#8 or SEC 1 DER, unencrypted. Raises `KeyUnfit`."""
        pointer = c_char_p(der)
        handle = self._c.d2i_AutoPrivateKey(None, byref(pointer), len(der))
        self._c.ERR_clear_error()
        if not handle:
            raise KeyUnfit(remedy="不是可用的 SM2 私钥")
        if self._c.EVP_PKEY_is_a(handle, b"SM2") != 1:
            self._c.EVP_PKEY_free(handle)
            raise KeyUnfit(remedy="私钥不在 SM2 曲线上")
        return Sm2PrivateKey(self, handle)

    def generate_private_key(self) -> Sm2PrivateKey:
        """A new key from the library's own random generator. Raises `AlgorithmUnavailable`."""
        context = self._c.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        handle = c_void_p()
        try:
            done = context and self._c.EVP_PKEY_keygen_init(context) == 1
            if not done or self._c.EVP_PKEY_generate(context, byref(handle)) != 1 or not handle.value:
                raise self._unavailable("密码库不能生成 SM2 密钥")
        finally:
            self._c.EVP_PKEY_CTX_free(context)
        return Sm2PrivateKey(self, handle.value)

    def verify(self, handle: int, message: bytes, signature: bytes) -> bool:
        """Whether the DER ``signature`` over ``message`` holds under the key. Raises `AlgorithmUnavailable`."""
        c = self._c
        context, key_context = c.EVP_MD_CTX_new(), c.EVP_PKEY_CTX_new(handle, None)
        try:
            self._prepare(context, key_context)
            if c.EVP_DigestVerifyInit(context, None, self.sm3, None, handle) != 1:
                raise self._unavailable("密码库不能验证 SM2 签名")
            if c.EVP_DigestVerify(context, signature, len(signature), message, len(message)) == 1:
                return True
            c.ERR_clear_error()
            return False
        finally:
            c.EVP_MD_CTX_free(context)
            c.EVP_PKEY_CTX_free(key_context)

    def sign(self, handle: int, message: bytes) -> bytes:
        """A DER signature over ``message``. Raises `AlgorithmUnavailable`."""
        c = self._c
        context, key_context = c.EVP_MD_CTX_new(), c.EVP_PKEY_CTX_new(handle, None)
        try:
            self._prepare(context, key_context)
            buffer = ctypes.create_string_buffer(_MAX_SIGNATURE)
            size = c_size_t(_MAX_SIGNATURE)
            ready = c.EVP_DigestSignInit(context, None, self.sm3, None, handle) == 1
            if not ready or c.EVP_DigestSign(context, buffer, byref(size), message, len(message)) != 1:
                raise self._unavailable("密码库不能生成 SM2 签名")
            return buffer.raw[: size.value]
        finally:
            c.EVP_MD_CTX_free(context)
            c.EVP_PKEY_CTX_free(key_context)

    def export(self, handle: int, function: str) -> bytes:
        """The key in DER by ``i2d_PUBKEY`` or ``i2d_PrivateKey``. Raises `AlgorithmUnavailable`."""
        encode_key = getattr(self._c, function)
        size = encode_key(handle, None)
        if size <= 0:
            raise self._unavailable("密码库不能导出 SM2 密钥")
        buffer = ctypes.create_string_buffer(size)
        # i2d_* moves the pointer that it is given, so it gets one of its own.
        encode_key(handle, byref(c_void_p(ctypes.addressof(buffer))))
        return buffer.raw

    def _prepare(self, context: int | None, key_context: int | None) -> None:
        if not context or not key_context:
            raise self._unavailable("密码库内存不足")
        if self._c.EVP_PKEY_CTX_set1_id(key_context, SIGNER_ID, len(SIGNER_ID)) != 1:
            raise self._unavailable("密码库不能设置 SM2 签名者标识")
        # The digest context borrows the key context; it must be freed by us, after the digest context.
        self._c.EVP_MD_CTX_set_pkey_ctx(context, key_context)

    def _prove(self) -> None:
        """GM/T 0003.5 annex A both ways: the example verifies, one changed byte does not, and what we sign verifies."""
        try:
            key = self.public_key(_EXAMPLE_POINT)
            key.verify(_EXAMPLE_MESSAGE, _EXAMPLE_SIGNATURE)
            signer = self.private_key(scalar_to_der(_EXAMPLE_SCALAR))
            derived = signer.public_key.spki == key.spki
            key.verify(_EXAMPLE_MESSAGE, signer.sign(_EXAMPLE_MESSAGE))
        except (SignatureInvalid, KeyUnfit):
            raise self._unavailable("密码库未通过 GM/T 0003.5 示例自检") from None
        try:
            key.verify(_EXAMPLE_MESSAGE + b".", _EXAMPLE_SIGNATURE)
        except SignatureInvalid:
            if derived:
                return
        raise self._unavailable("密码库未通过 GM/T 0003.5 示例自检")

    def _unavailable(self, remedy: str) -> AlgorithmUnavailable:
        self._c.ERR_clear_error()
        return AlgorithmUnavailable(
            check="signature.sm2.library", remedy=Phrase("{what}；请在设置中指明支持国密的密码库", what=Phrase(remedy))
        )


def signature_to_der(signature: bytes, encoding: Encoding = Encoding.EITHER) -> bytes:
    """Canonical DER of a signature given as strict DER or as 64 bytes r‖s, or as the one that ``encoding`` demands.

    Raises `SignatureInvalid` for anything else: bytes left over, padding, r or s outside 1…n−1.
    """
    try:
        if encoding is Encoding.RAW or len(signature) > _MAX_SIGNATURE:
            raise DerMalformed
        r, s = parse_integer_pair(signature)
        if r < _ORDER and s < _ORDER:
            return signature
    except DerMalformed:
        if len(signature) != 64 or encoding is Encoding.DER:
            raise SignatureInvalid(check="signature.encoding", remedy="SM2 签名值编码不符合标准") from None
        # Octets of one length compare like the numbers they spell.
        first, second = signature[:32], signature[32:]
        if _ZERO_OCTETS < first < _ORDER_OCTETS and _ZERO_OCTETS < second < _ORDER_OCTETS:
            return encode(Tag.SEQUENCE, _integer(first), _integer(second))
    raise SignatureInvalid(check="signature.encoding", remedy="SM2 签名值超出范围")


def _integer(octets: bytes) -> bytes:
    """A positive INTEGER in its shortest form, of an unsigned number's octets."""
    content = octets.lstrip(b"\0")
    return encode(Tag.INTEGER, b"\0" + content if content[0] & 0x80 else content)


def signature_to_raw(signature: bytes) -> bytes:
    """64 bytes r‖s of a signature in either form. Raises `SignatureInvalid`."""
    r, s = parse_integer_pair(signature_to_der(signature))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def scalar_to_der(scalar: int) -> bytes:
    """SEC 1 ``ECPrivateKey`` of a private scalar on the SM2 curve; the library derives the point itself."""
    curve = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex("2a811ccf5501822d"))
    secret = encode(Tag.OCTET_STRING, scalar.to_bytes(32, "big"))
    return encode(Tag.SEQUENCE, encode_integer(1), secret, encode(Tag.CONTEXT_0, curve))


def _load(path: str | None) -> ctypes.CDLL:
    if path is not None:
        return _open(path)
    for name in _CANDIDATES:
        try:
            return _open(name)
        except AlgorithmUnavailable:
            continue
    # Last, because it may start a compiler or ldconfig to look.
    return _open(ctypes.util.find_library("crypto") or "libcrypto")


def _open(name: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(name)
        for function, result, arguments in _FUNCTIONS:
            entry = getattr(library, function)
            entry.restype, entry.argtypes = result, arguments
    except (OSError, AttributeError):
        raise AlgorithmUnavailable(
            check="signature.sm2.library",
            remedy="没有可用的国密密码库（需要 OpenSSL 3 或铜锁）；请安装，或在设置中指明路径",
        ) from None
    return library


_lock = threading.Lock()
_path: str | None = None
_loaded: Sm2Library | AlgorithmUnavailable | None = None


def use_library(path: str | None) -> None:
    """Choose the library for this process (settings pass it); it is loaded and proved at the next use."""
    global _path, _loaded
    with _lock:
        _path, _loaded = path, None


def library() -> Sm2Library:
    """The process's library, loaded once. Raises `AlgorithmUnavailable`, and remembers that until `use_library`."""
    global _loaded
    found = _loaded
    if found is None:
        with _lock:
            if _loaded is None:
                try:
                    _loaded = Sm2Library(_path)
                except AlgorithmUnavailable as error:
                    _loaded = error
            found = _loaded
    if isinstance(found, AlgorithmUnavailable):
        raise AlgorithmUnavailable(check=found.check, remedy=found.remedy)
    return found


def self_test() -> str | None:
    """Load and prove the library now; what it says of itself, or None where none is capable. For the start."""
    try:
        return library().version
    except AlgorithmUnavailable:
        return None


def public_key(encoded: bytes) -> Sm2PublicKey:
    """The cached key of a SubjectPublicKeyInfo (DER, 91 bytes) or of a point ``04‖x‖y``.

    Raises `KeyUnfit`, `AlgorithmUnavailable`.
    """
    return library().public_key(encoded)


def private_key(der: bytes) -> Sm2PrivateKey:
    """A signing key from PKCS#8 or SEC 1 DER. Raises `KeyUnfit`, `AlgorithmUnavailable`."""
    return library().private_key(der)


def generate_private_key() -> Sm2PrivateKey:
    """A new signing key. Raises `AlgorithmUnavailable`."""
    return library().generate_private_key()
