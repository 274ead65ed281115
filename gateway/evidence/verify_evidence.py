"""``verify-evidence bundle.zip --anchors DIR``: does an evidence bundle (证据包) prove what it says?

This one file is the whole verifier. It needs Python 3.11 and ``cryptography``, nothing else: no network, no database
and no code of the gateway, so that it can be copied, read and run by somebody who trusts none of them. What each file
of a bundle is, and what each statement means, stands in ``docs/evidence.md``. Whom to believe stands in DIR:

    anchors/*.pem               roots of the certificates that seal e-certificates and their status lists
    issuers.json                which authority may issue which kind, and under which CA (as in BANDIAN_TRUST_DIR)
    gateway.jwks.json           the gateway's published keys (RFC 7517), retired ones included
    partners.json               the departments' and utilities' registered keys, by partner code
    identity-provider.json      {"issuer": …, "keys": [JWK …]}
    checkpoints.vkeys           verifier keys of the record's checkpoints, one a line (C2SP signed-note)
    witnesses.vkeys             verifier keys of the witnesses that somebody independent chose; optional

Exit codes: 0 everything that the bundle states is proved; 1 something is wrong, and it is named; 2 something could not
be proved; 3 the bundle or DIR cannot be read.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

VERSION: Final = 1
MAX_BUNDLE_BYTES: Final = 256 << 20
MAX_FILES: Final = 4096
MANIFEST: Final = "manifest.jws"
SKEW: Final = timedelta(minutes=5)
MAX_STATUS_AGE: Final = timedelta(days=1)

# What is found, and how it is told ----------------------------------------------------------------------------------

PROVED, STATED, WITHHELD, UNKNOWN, WRONG = "proved", "stated", "withheld", "unknown", "wrong"
MARKS: Final = {PROVED: "✓", STATED: "·", WITHHELD: "–", UNKNOWN: "?", WRONG: "✗"}

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "unreadable": ("无法读取：{why}", "cannot be read: {why}"),
    "archive": ("压缩包不是规定的样子：{why}", "the archive is not as it was written: {why}"),
    "manifest": (
        "清单由网关密钥 {key} 于 {at} 签名，{files} 个文件逐一相符",
        "the manifest is signed by the gateway's key {key} at {at}; its {files} files are as it lists them",
    ),
    "manifest.wrong": ("清单不可信：{why}", "the manifest cannot be believed: {why}"),
    "file.digest": ("文件内容与清单不符", "the file is not the one that the manifest lists"),
    "file.missing": ("清单所列文件不在包内", "the file that the manifest lists is not in the bundle"),
    "file.extra": ("文件不在清单中", "the manifest does not list this file"),
    "file.unused": ("不认识的文件，未作核验", "a file of a kind unknown here; nothing was checked"),
    "file.format": ("文件格式不符：{why}", "the file is malformed: {why}"),
    "record": ("存证 {entry}：{at} {actor} {action}（{result}）", "record {entry}: {at} {actor} {action} ({result})"),
    "record.wrong": ("存证 {entry} 不成立：{why}", "record {entry} does not hold: {why}"),
    "record.other": ("存证 {entry} 属于另一申请", "record {entry} belongs to another application"),
    "record.nowitness": (
        "未给出见证方公钥：不能排除网关向不同的人出示不同的存证",
        "no witness is named in DIR: that everybody was shown the same record is not claimed",
    ),
    "checkpoint": ("检查点（{size}）由 {key} 签名", "the checkpoint ({size}) is signed by {key}"),
    "checkpoint.unsigned": ("检查点没有可信密钥的签名", "no key in checkpoints.vkeys signed the checkpoint"),
    "checkpoint.wrong": ("检查点签名 {key} 不正确", "the signature of {key} on the checkpoint is wrong"),
    "witness": ("见证方 {key} 于 {at} 联署检查点（{size}）", "witness {key} cosigned the checkpoint ({size}) at {at}"),
    "witness.none": ("没有一个所列见证方联署此检查点", "none of the witnesses in DIR cosigned this checkpoint"),
    "application": (
        "申请 {id}：{utility}，{clazz}，与提交时的存证一致",
        "application {id}: {utility}, {clazz}, as recorded when it was submitted",
    ),
    "application.wrong": ("申请概况与存证不符：{why}", "the application's account differs from the record: {why}"),
    "application.nosubmission": ("没有提交申请的存证", "there is no record entry of the submission"),
    "authorisation": (
        "授权 {id} 的原文与存证的摘要一致：{text}",
        "the words of authorisation {id} are those whose digest was recorded: {text}",
    ),
    "authorisation.wrong": ("授权与存证不符：{why}", "the authorisation differs from the record: {why}"),
    "authorisation.nowords": (
        "存证 {entry} 所指的授权原文不在包内",
        "the words of the authorisation in record {entry} are not in the bundle",
    ),
    "identity": (
        "身份凭据由 {issuer} 签发，方式 {method}，核验于 {at}",
        "the identity assertion is {issuer}'s, by {method}, verified at {at}",
    ),
    "identity.wrong": ("身份凭据不成立：{why}", "the identity assertion does not hold: {why}"),
    "identity.absent": ("没有身份凭据：{why}", "there is no identity assertion: {why}"),
    "certificate": (
        "{kind}（{title}）于 {at} 有效：签章、证书链、吊销与状态均独立核实",
        "{kind} ({title}) was valid at {at}: seal, chain, revocation and status checked independently",
    ),
    "certificate.wrong": ("{kind} 不成立（{at}）：{why}", "{kind} does not hold ({at}): {why}"),
    "certificate.unknown": ("{kind} 未能证明（{at}）：{why}", "{kind} is not proved ({at}): {why}"),
    "certificate.verdict": ("网关判定 {kind} 为 {verdict}（{check}）", "the gateway judged {kind} {verdict} ({check})"),
    "certificate.absent": (
        "{kind} 的证照原件不在包内（{why}），存证只有其摘要 {digest}",
        "the envelope of {kind} is not in the bundle ({why}); the record has its digest {digest}",
    ),
    "certificate.unbound": ("{kind} 的判定没有对应的存证", "no record entry speaks of this judgement of {kind}"),
    "declared": ("{kind} 由申请人自行提供（容缺），未经核验", "{kind} was declared by the applicant and not verified"),
    "disclosed": (
        "{at} 向 {who} 提供 {kind} 的 {fields}，判定 {verdict}",
        "at {at} {who} was given {fields} of {kind}, judged {verdict}",
    ),
    "outcome": (
        "{department} 的审批结果 {outcome}，原件签名成立，收于 {at}",
        "{department}'s outcome {outcome} bears its signature and was received at {at}",
    ),
    "outcome.wrong": (
        "{department} 的审批结果 {outcome} 不成立：{why}",
        "{department}'s outcome {outcome} does not hold: {why}",
    ),
    "outcome.absent": (
        "{department} 的审批结果 {outcome} 的原件不在包内（{why}）",
        "{department}'s outcome {outcome} is not in the bundle ({why})",
    ),
    "receipt": (
        "{destination} 签收事件 {event}（第 {sequence} 件）",
        "{destination} signed for event {event} (number {sequence})",
    ),
    "receipt.body": (
        "{destination} 签收事件 {event}（第 {sequence} 件），所签正是此内容",
        "{destination} signed for event {event} (number {sequence}), with this very content",
    ),
    "receipt.wrong": (
        "{destination} 对事件 {event} 的回执不成立：{why}",
        "{destination}'s receipt for event {event} does not hold: {why}",
    ),
    "receipt.absent": (
        "{destination} 对事件 {event} 的回执不在包内（{why}）",
        "{destination}'s receipt for event {event} is not in the bundle ({why})",
    ),
    "receipt.unsigned": (
        "{destination} 对事件 {event} 的应答不带签名：只有网关的说法",
        "{destination}'s answer to event {event} is not signed: it is the gateway's word alone",
    ),
    "delivery.open": (
        "事件 {event} 尚未送达 {destination}（{state}）",
        "event {event} has not been delivered to {destination} ({state})",
    ),
    "delivery.hole": (
        "发往 {destination} 的事件缺第 {sequence} 件",
        "number {sequence} of the events for {destination} is missing",
    ),
    "attempts": (
        "网关称：向 {destination} 投递 {event} 共 {count} 次",
        "the gateway says: {count} attempts to deliver {event} to {destination}",
    ),
    "withheld": (
        "{count} 项 {what} 已隐去（不含个人信息的版本）",
        "{count} of {what} left out (a bundle without personal data)",
    ),
    "fault": ("核验程序自身出错（{why}），结论不可用", "this verifier failed ({why}): nothing is concluded"),
    "stage": (
        "环节 {stage} {action}：供电企业申报 {claimed}，按 {counted} 计",
        "stage {stage} {action}: the utility said {claimed}, counted from {counted}",
    ),
    "limits": (
        "不能由此证明：没有别的存证、没有别的送达；网关的说法（·）只表明网关这样说",
        "not provable from any bundle: that no other entry or delivery exists; what is marked · is the gateway's word",
    ),
    "summary": (
        "证明 {proved}，未能证明 {unknown}，错误 {wrong}，隐去 {withheld}",
        "proved {proved}, not proved {unknown}, wrong {wrong}, left out {withheld}",
    ),
}
"""Each statement in Chinese and in English."""


@dataclass(frozen=True)
class Finding:
    """One statement: ``mark`` is one of `MARKS`, ``code`` names its words, ``where`` the file of the bundle."""

    mark: str
    code: str
    where: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: str) -> str:
        """The statement in ``zh`` or ``en``; characters that do not print are replaced."""
        words = WORDS[self.code][0 if lang == "zh" else 1].format_map({**self.facts})
        where = f" [{self.where}]" if self.where else ""
        return printable(f"{MARKS[self.mark]} {words}{where}")


class Refused(Exception):
    """Something is wrong with what is looked at; the text says what."""


class NotProved(Exception):
    """Nothing is known to be wrong, and yet it is not proved; the text says why."""


class Unreadable(Exception):
    """The bundle or the anchors cannot be read at all."""


def printable(text: str) -> str:
    """What was tampered with may hold anything, and is shown on a terminal."""
    return "".join(each if each.isprintable() else "�" for each in text)


# Small readers, each with one reading ---------------------------------------------------------------------------------


def sha256_hex(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a JSON member stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is no JSON")


def read_json(data: bytes | str) -> Any:
    """JSON in UTF-8, no member twice, no NaN. Raises ``Refused``."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def read_object(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises ``Refused``."""
    found = read_json(data)
    if not isinstance(found, dict):
        raise Refused("not a JSON object")
    return found


def text_of(holder: Mapping[str, Any], name: str) -> str:
    """A text member. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise Refused(f"{name} is no text")
    return value


def number_of(holder: Mapping[str, Any], name: str) -> int:
    """A whole number that is not negative. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise Refused(f"{name} is no whole number")
    return value


def list_of(holder: Mapping[str, Any], name: str) -> list[Any]:
    """A list member. Raises ``Refused``."""
    value = holder.get(name)
    if not isinstance(value, list):
        raise Refused(f"{name} is no list")
    return value


def objects_of(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects. Raises ``Refused``."""
    found = list_of(holder, name)
    if not all(isinstance(each, dict) for each in found):
        raise Refused(f"{name} holds something that is no object")
    return found


def texts_of(holder: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts. Raises ``Refused``."""
    found = list_of(holder, name)
    if not all(isinstance(each, str) for each in found):
        raise Refused(f"{name} holds something that is no text")
    return found


def instant_of(holder: Mapping[str, Any], name: str) -> datetime:
    """An RFC 3339 time with its offset. Raises ``Refused``."""
    try:
        at = datetime.fromisoformat(text_of(holder, name))
        if at.tzinfo is None:
            raise ValueError
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{name} is no time") from None


def epoch(seconds: object) -> datetime:
    """Seconds since 1970. Raises ``Refused``."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds < 1 << 37:
        raise Refused("not a time in seconds")
    return datetime.fromtimestamp(seconds, UTC)


def told(at: datetime) -> str:
    """A time for people, in UTC to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def unbase64url(text: str | bytes) -> bytes:
    """base64url without padding in its one spelling. Raises ``Refused``."""
    encoded = text.encode("ascii", "replace") if isinstance(text, str) else text
    try:
        data = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != encoded:
        raise Refused("not the one spelling in base64url")
    return data


def unbase64(text: object) -> bytes:
    """base64 with padding in its one spelling. Raises ``Refused``."""
    if not isinstance(text, str):
        raise Refused("not base64")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Refused("not the one spelling in base64")
    return data


# The archive: one file, one reading -----------------------------------------------------------------------------------

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_STORED_AS: Final = (20, 0, 0, 0, 0x0021)
"""Version 2.0, no flags, stored, 1980-01-01 00:00."""
_MADE_BY, _ATTRIBUTES = 0x0314, 0o100600 << 16


def read_archive(data: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Raises ``Broken``.

    There is exactly one way to write given files: stored, in the order of their names, dated 1980-01-01, nothing
    before, between or behind. Whatever differs from it by one bit is refused.
    """
    files: dict[str, bytes] = {}
    offsets: list[int] = []
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        name, body, end = _local_entry(data, at)
        if files and name <= max(files):
            raise Broken(name, f"at byte {at}: the files are not in the order of their names")
        if len(files) == MAX_FILES:
            raise Broken(name, "too many files")
        files[name] = body
        offsets.append(at)
        at = end
    expected = _directory(files, offsets, at)
    rest = data[at:]
    if rest != expected:
        here = next((i for i, (a, b) in enumerate(zip(rest, expected, strict=False)) if a != b), None)
        place = at + (min(len(rest), len(expected)) if here is None else here)
        raise Broken(_spoken_of(files, place - at), f"at byte {place}: the directory does not fit the files")
    return files


class Broken(Exception):
    """The archive is not as a bundle is written. ``name`` is the file concerned, empty where it is none."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why


def _local_entry(data: bytes, at: int) -> tuple[str, bytes, int]:
    if len(data) < at + _LOCAL.size:
        raise Broken("", f"at byte {at}: the archive ends within a header")
    _, *fixed, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(data, at)
    start = at + _LOCAL.size
    try:
        name = data[start : start + name_length].decode("ascii")
    except UnicodeDecodeError:
        name = ""
    if not _NAME.fullmatch(name) or len(name) != name_length:
        raise Broken("", f"at byte {start}: not the name of a file of a bundle")
    if tuple(fixed) != _STORED_AS or extra_length or packed != size:
        raise Broken(name, f"at byte {at}: the header is not as it is written")
    start += name_length
    body = data[start : start + size]
    if len(body) != size or zlib.crc32(body) != crc:
        raise Broken(name, f"from byte {start}: the content does not have the checksum of its header")
    return name, body, start + size


def _directory(files: Mapping[str, bytes], offsets: Sequence[int], at: int) -> bytes:
    entries = []
    for (name, body), offset in zip(files.items(), offsets, strict=True):
        encoded, size = name.encode("ascii"), len(body)
        entries.append(
            _CENTRAL.pack(
                *(b"PK\x01\x02", _MADE_BY, *_STORED_AS, zlib.crc32(body), size, size),
                *(len(encoded), 0, 0, 0, 0, _ATTRIBUTES, offset),
            )
            + encoded
        )
    directory = b"".join(entries)
    return directory + _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), at, 0)


def _spoken_of(files: Iterable[str], place: int) -> str:
    """The file whose directory entry holds the byte ``place`` of the directory."""
    for name in files:
        place -= _CENTRAL.size + len(name)
        if place < 0:
            return name
    return ""


# SM2 and SM3 (GM/T 0003, GM/T 0004, GM/T 0009): plain and slow, which is enough here ---------------------------------

_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_Point = tuple[int, int] | None


def sm3(data: bytes) -> bytes:
    """SM3, 32 bytes. Raises ``NotProved`` where the library has none."""
    try:
        digest = hashes.Hash(hashes.SM3())
    except UnsupportedAlgorithm:
        raise NotProved("this installation has no SM3") from None
    digest.update(data)
    return digest.finalize()


def _add(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _times(scalar: int, point: _Point) -> _Point:
    found: _Point = None
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point, scalar = _add(point, point), scalar >> 1
    return found


@dataclass(frozen=True)
class Sm2Key:
    """An SM2 public key; raises ``Refused`` for a point that is not on the curve."""

    x: int
    y: int

    def __post_init__(self) -> None:
        on_curve = (self.y * self.y - self.x**3 - _A * self.x - _B) % _P == 0
        if not (0 <= self.x < _P and 0 <= self.y < _P and on_curve):
            raise Refused("not a point of the SM2 curve")

    def verify(self, signature: bytes, message: bytes) -> None:
        """``signature`` is r‖s. Raises ``InvalidSignature``."""
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        if len(signature) != 64 or not (0 < r < _N and 0 < s < _N) or (r + s) % _N == 0:
            raise InvalidSignature
        signer = b"1234567812345678"
        parts = (_A, _B, *_G, self.x, self.y)
        z = sm3((8 * len(signer)).to_bytes(2) + signer + b"".join(each.to_bytes(32) for each in parts))
        e = int.from_bytes(sm3(z + message))
        point = _add(_times(s, _G), _times((r + s) % _N, (self.x, self.y)))
        if point is None or (e + point[0]) % _N != r:
            raise InvalidSignature


# Keys and signatures --------------------------------------------------------------------------------------------------

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey | Sm2Key
_CURVES: Final[Mapping[str, tuple[type[ec.EllipticCurve], int]]] = {
    "P-256": (ec.SECP256R1, 32),
    "P-384": (ec.SECP384R1, 48),
}
_JOSE_EC: Final[Mapping[str, tuple[str, Callable[[], hashes.HashAlgorithm]]]] = {
    "ES256": ("secp256r1", hashes.SHA256),
    "ES384": ("secp384r1", hashes.SHA384),
}


def key_of_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key in a JWK (RFC 7517, RFC 8037; SM2 as ``docs/divergences.md`` has it). Raises ``Refused``."""
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(unbase64url(text_of(jwk, "x")))
            case "EC", "SM2":
                x, y = (int.from_bytes(unbase64url(text_of(jwk, each))) for each in ("x", "y"))
                return Sm2Key(x, y)
            case "EC", str(name) if name in _CURVES:
                x, y = (int.from_bytes(unbase64url(text_of(jwk, each))) for each in ("x", "y"))
                return ec.EllipticCurvePublicNumbers(x, y, _CURVES[name][0]()).public_key()
            case "RSA", None:
                n, e = (int.from_bytes(unbase64url(text_of(jwk, name))) for name in ("n", "e"))
                return rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("not a public key") from None
    raise Refused("a key of a type unknown here")


def verify_jose(algorithm: str, key: PublicKey, signature: bytes, message: bytes) -> None:
    """One JWS signature. Raises ``Refused`` where the key does not fit or did not make it."""
    try:
        match algorithm, key:
            case "EdDSA", ed25519.Ed25519PublicKey():
                return key.verify(signature, message)
            case "SM2-SM3", Sm2Key():
                return key.verify(signature, message)
            case (("ES256" | "ES384"), ec.EllipticCurvePublicKey()):
                curve, digest = _JOSE_EC[algorithm]
                half = len(signature) // 2
                if key.curve.name != curve or len(signature) != 2 * ((key.curve.key_size + 7) // 8):
                    raise Refused("the key does not fit the algorithm")
                r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
                return key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest()))
            case "RS256", rsa.RSAPublicKey():
                return key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            case "PS256", rsa.RSAPublicKey():
                scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
                return key.verify(signature, message, scheme, hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise Refused("the signature is wrong") from None
    raise Refused("the key does not fit the algorithm")


_FOREIGN: Final = frozenset(
    ("crit", "b64", "zip", "enc", "epk", "apu", "apv", "p2s", "p2c", "jku", "x5u", "jwk", "iss", "sub", "aud")
) | {"x5c", "x5t", "x5t#S256"}


@dataclass(frozen=True)
class Jws:
    """A compact JWS, read and not yet believed."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes, typ: str, *, x5c: bool = False) -> "Jws":
        """Raises ``Refused`` for what is no compact JWS of this ``typ`` in its one spelling; ``x5c`` – with a chain."""
        parts = data.split(b".")
        if len(parts) != 3:
            raise Refused("not a compact JWS")
        header = read_object(unbase64url(parts[0]))
        found = header.get("typ")
        if not isinstance(found, str) or found.lower().removeprefix("application/") != typ:
            raise Refused(f"its typ is not {typ}")
        foreign = _FOREIGN & header.keys() - ({"x5c", "x5t", "x5t#S256"} if x5c else set())
        if foreign or ("x5c" in header) != x5c:
            raise Refused(f"its header does not fit: {', '.join(sorted(foreign)) or 'x5c'}")
        return cls(header, unbase64url(parts[1]), parts[0] + b"." + parts[1], unbase64url(parts[2]))

    def verify(self, key: PublicKey) -> None:
        """Raises ``Refused``."""
        verify_jose(text_of(self.header, "alg"), key, self.signature, self.signed)

    def claims(self) -> dict[str, Any]:
        """The payload as an object. Raises ``Refused``."""
        return read_object(self.payload)


@dataclass(frozen=True)
class NamedKey:
    """A key of somebody's, and when a signature made with it counts. ``use`` None: for everything."""

    kid: str
    key: PublicKey
    use: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def usable(self, use: str, at: datetime) -> bool:
        """Whether a signature for ``use`` made at ``at`` counts."""
        begun = self.valid_from is None or self.valid_from <= at + SKEW
        return begun and (self.valid_until is None or at < self.valid_until) and self.use in (use, "any", None)


def verify_by_one(token: Jws, keys: Sequence[NamedKey], use: str, at: datetime, whose: str) -> str:
    """The ``kid`` of the key that signed ``token``. Raises ``NotProved`` without a key, ``Refused`` for a wrong one."""
    kid = token.header.get("kid")
    named = [each for each in keys if each.usable(use, at) and kid in (None, each.kid)]
    if not named:
        raise NotProved(f"DIR has no key of {whose} that counted then" + (f" under {kid}" if kid else ""))
    for each in named[:8]:
        try:
            token.verify(each.key)
        except Refused as error:
            refusal = error
        else:
            return each.kid
    raise refusal


# DER and X.509 (RFC 5280): only what paths, lists and answers need ---------------------------------------------------

_CERT_SIGN, _CRL_SIGN, _DIGITAL_SIGNATURE, _NON_REPUDIATION = 5, 6, 0, 1
_KNOWN_CRITICAL: Final = frozenset({"2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.32", "2.5.29.17", "2.5.29.31"})
_SEALING: Final = frozenset({"1.3.6.1.5.5.7.3.36", "2.5.29.37.0"})
"""Document signing (RFC 9336) and any purpose."""


@dataclass(frozen=True)
class Der:
    """One element: its tag, its content, and all its bytes."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list["Der"]:
        """The elements in a constructed one. Raises ``Refused``."""
        if not self.tag & 0x20:
            raise Refused("DER: not constructed")
        found, rest = [], self.content
        while rest:
            element = der_first(rest)
            found.append(element)
            rest = rest[len(element.raw) :]
        return found

    def expect(self, tag: int) -> "Der":
        """Itself, where it has that tag. Raises ``Refused``."""
        if self.tag != tag:
            raise Refused("DER: another element was expected")
        return self

    def number(self) -> int:
        """An INTEGER or ENUMERATED."""
        return int.from_bytes(self.content, signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form. Raises ``Refused``."""
        content = self.expect(0x06).content
        numbers, value = [], 0
        for octet in content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                numbers.append(value)
                value = 0
        if not numbers or content[-1] & 0x80:
            raise Refused("DER: not an identifier")
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def time(self) -> datetime:
        """UTCTime or GeneralizedTime in UTC. Raises ``Refused``."""
        try:
            text = self.content.decode("ascii")
            if self.tag == 0x17:
                text = ("20" if int(text[:2]) < 50 else "19") + text
            elif self.tag != 0x18:
                raise ValueError
            if len(text) != 15:
                raise ValueError
            return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise Refused("DER: not a time") from None

    def bits(self) -> frozenset[int]:
        """The set bits of a BIT STRING."""
        content = self.expect(0x03).content[1:]
        return frozenset(8 * i + b for i, octet in enumerate(content) for b in range(8) if octet << b & 0x80)


def der_first(data: bytes) -> Der:
    """The first element of ``data``. Raises ``Refused``."""
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise Refused("DER: cut off")
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            raise Refused("DER: a length that is not allowed")
        start, length = 2 + count, int.from_bytes(data[2 : 2 + count])
        if length < 0x80 or (count > 1 and not data[2]):
            raise Refused("DER: a length that is not the shortest")
    if len(data) < start + length:
        raise Refused("DER: cut off")
    return Der(data[0], data[start : start + length], data[: start + length])


def der_whole(data: bytes) -> Der:
    """The one element that ``data`` is. Raises ``Refused``."""
    element = der_first(data)
    if len(element.raw) != len(data):
        raise Refused("DER: followed by other bytes")
    return element


@dataclass(frozen=True)
class Signed:
    """SEQUENCE {what was signed, algorithm, signature}: a certificate, a list, or an answer."""

    body: Der
    algorithm: Der
    signature: bytes

    @classmethod
    def read(cls, parts: Sequence[Der]) -> "Signed":
        """Raises ``Refused``."""
        body, algorithm, signature = parts[:3] if len(parts) >= 3 else _too_short()
        if signature.expect(0x03).content[:1] != b"\0":
            raise Refused("DER: a signature of whole octets was expected")
        return cls(body, algorithm, signature.content[1:])

    def verify(self, spki: bytes) -> None:
        """Raises ``Refused`` (wrong), ``NotProved`` (an algorithm unknown here)."""
        verify_x509(self.algorithm, spki, self.signature, self.body.raw)


def _too_short() -> NoReturn:
    raise Refused("DER: too few elements")


_X509_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
}


def key_of_spki(spki: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo. Raises ``Refused``, ``NotProved``."""
    parts = der_whole(spki).children()
    algorithm = parts[0].children() if parts else []
    if len(algorithm) == 2 and algorithm[1].tag == 0x06 and algorithm[1].oid() == "1.2.156.10197.1.301":
        point = parts[1].content if len(parts) > 1 else b""
        if len(point) != 66 or point[:2] != b"\0\4":
            raise Refused("not an SM2 key")
        return Sm2Key(int.from_bytes(point[2:34]), int.from_bytes(point[34:]))
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise NotProved("a public key that cannot be read here") from None
    if isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return key
    raise NotProved("a public key of a type unknown here")


def verify_x509(algorithm: Der, spki: bytes, signature: bytes, message: bytes) -> None:
    """A signature of a certificate, list or answer. Raises ``Refused``, ``NotProved``."""
    parts = algorithm.children()
    name = parts[0].oid() if parts else ""
    key = key_of_spki(spki)
    try:
        if name == "1.2.156.10197.1.501" and isinstance(key, Sm2Key):
            r, s = der_whole(signature).expect(0x30).children()
            return key.verify(r.number().to_bytes(32) + s.number().to_bytes(32), message)
        if name == "1.3.101.112" and isinstance(key, ed25519.Ed25519PublicKey):
            return key.verify(signature, message)
        if name in _X509_HASHES and isinstance(key, ec.EllipticCurvePublicKey) and ".10045." in name:
            return key.verify(signature, message, ec.ECDSA(_X509_HASHES[name]()))
        if name in _X509_HASHES and isinstance(key, rsa.RSAPublicKey) and ".113549." in name:
            return key.verify(signature, message, padding.PKCS1v15(), _X509_HASHES[name]())
    except (InvalidSignature, ValueError, OverflowError):
        raise Refused("a signature by another key, or a wrong one") from None
    raise NotProved(f"the signature algorithm {name} is not spoken here")


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate, as far as paths need it. ``subject`` and ``issuer`` are raw names."""

    der: bytes
    signed: Signed
    serial: bytes
    issuer: bytes
    subject: Der
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Mapping[str, tuple[bool, bytes]]

    @classmethod
    def read(cls, der: bytes) -> "Certificate":
        """Raises ``Refused``."""
        try:
            return cls._read(der)
        except (ValueError, IndexError):
            raise Refused("X.509: not a certificate") from None

    @classmethod
    def _read(cls, der: bytes) -> "Certificate":
        signed = Signed.read(der_whole(der).expect(0x30).children())
        parts = signed.body.expect(0x30).children()
        if not parts or parts[0].tag != 0xA0 or len(parts) < 7:
            raise Refused("X.509: not a certificate of version 3")
        _, serial, algorithm, issuer, validity, subject, spki, *rest = parts
        if algorithm.raw != signed.algorithm.raw:
            raise Refused("X.509: two algorithms")
        dates = validity.children()
        if len(dates) != 2:
            raise Refused("X.509: no validity")
        extensions: dict[str, tuple[bool, bytes]] = {}
        for holder in (each for each in rest if each.tag == 0xA3):
            for extension in holder.children()[0].children() if holder.children() else ():
                name, *more = extension.children()
                critical = len(more) == 2 and more[0].content != b"\0"
                if not more or name.oid() in extensions:
                    raise Refused("X.509: an extension stands twice, or empty")
                extensions[name.oid()] = critical, more[-1].expect(0x04).content
        return cls(
            der, signed, serial.content, issuer.raw, subject, dates[0].time(), dates[1].time(), spki.raw, extensions
        )

    def attribute(self, oid: str) -> str | None:
        """The one text of the subject under ``oid``."""
        found = [
            pair.children()[1].content.decode("utf-8", "replace")
            for part in self.subject.children()
            for pair in part.children()
            if len(pair.children()) == 2 and pair.children()[0].oid() == oid
        ]
        return found[0] if len(found) == 1 else None

    def usage(self) -> frozenset[int] | None:
        """keyUsage; None where there is none."""
        return der_whole(self.extensions["2.5.29.15"][1]).bits() if "2.5.29.15" in self.extensions else None

    def purposes(self) -> frozenset[str] | None:
        """extKeyUsage; None where there is none."""
        if "2.5.29.37" not in self.extensions:
            return None
        return frozenset(each.oid() for each in der_whole(self.extensions["2.5.29.37"][1]).children())

    def path_length(self) -> int | None:
        """How many CAs may stand below it: None without a bound, -1 where it is no CA."""
        if "2.5.29.19" not in self.extensions:
            return -1
        parts = der_whole(self.extensions["2.5.29.19"][1]).expect(0x30).children()
        if not parts or parts[0].tag != 0x01 or parts[0].content == b"\0":
            return -1
        return parts[1].number() if len(parts) > 1 else None

    def may_sign(self, bit: int) -> bool:
        """Whether keyUsage allows it, or says nothing."""
        usage = self.usage()
        return usage is None or bit in usage


class Paths:
    """Paths to anchors (RFC 5280 §6, without policies), with revocation as of then. Bounded work."""

    def __init__(
        self, anchors: Sequence[Certificate], others: Sequence[bytes], crls: Iterable[bytes], ocsp: Iterable[bytes]
    ) -> None:
        self._anchors = list(anchors)
        self._others = [found for each in others if (found := _readable(each)) is not None]
        self._crls, self._ocsp = list(crls), list(ocsp)
        self._left = 400

    def require(self, leaf: Certificate, carried: Sequence[bytes], at: datetime) -> list[Certificate]:
        """A path from ``leaf`` to an anchor that was good at ``at``. Raises ``Refused``, ``NotProved``."""
        pool = [*(found for each in carried if (found := _readable(each)) is not None), *self._others]
        doubts: list[str] = []
        flaws: list[str] = []
        for path in self._walk([leaf], pool):
            try:
                self._judge(path, at)
            except NotProved as doubt:
                doubts.append(str(doubt))
            except Refused as flaw:
                flaws.append(str(flaw))
            else:
                return path
        if doubts or not flaws:
            raise NotProved(doubts[0] if doubts else "no path leads to an anchor in DIR")
        raise Refused(flaws[0])

    def _walk(self, path: list[Certificate], pool: Sequence[Certificate]) -> Iterator[list[Certificate]]:
        last = path[-1]
        for anchor in self._anchors:
            if anchor.subject.raw == last.issuer and self._signed_by(last, anchor):
                yield path if anchor.der == last.der and len(path) > 1 else [*path, anchor]
        if len(path) >= 8:
            return
        for candidate in pool:
            fits = candidate.subject.raw == last.issuer and all(candidate.der != each.der for each in path)
            if fits and self._signed_by(last, candidate):
                yield from self._walk([*path, candidate], pool)

    def _signed_by(self, one: Certificate, issuer: Certificate) -> bool:
        self._left -= 1
        if self._left < 0:
            raise NotProved("more certificates than are looked at")
        try:
            one.signed.verify(issuer.spki)
        except (Refused, NotProved):
            return False
        return True

    def _judge(self, path: Sequence[Certificate], at: datetime) -> None:
        leaf, anchor = path[0], path[-1]
        usage, purposes = leaf.usage(), leaf.purposes()
        if usage is not None and not usage & {_DIGITAL_SIGNATURE, _NON_REPUDIATION}:
            raise Refused("the seal's certificate may not sign")
        if purposes is not None and not purposes & _SEALING:
            raise Refused("the seal's certificate is for another purpose")
        for below, each in enumerate(path):
            if not each.not_before <= at <= each.not_after:
                if each is anchor:
                    raise NotProved("the anchor was not in force then")
                raise Refused("a certificate of the path was not in force then")
            unknown = [oid for oid, (critical, _) in each.extensions.items() if critical and oid not in _KNOWN_CRITICAL]
            if unknown:
                raise NotProved(f"a critical extension that is not judged here: {unknown[0]}")
            if "2.5.29.30" in each.extensions:
                raise NotProved("name constraints are not judged here")
            cas_below = sum(ca.subject.raw != ca.issuer for ca in path[1:below])
            if below and not _certifies(each, cas_below):
                raise Refused("a certificate of the path is no CA for it")
        for one, issuer in pairwise(path):
            self._require_unrevoked(one, issuer, path[1:], at)

    def _require_unrevoked(
        self, one: Certificate, issuer: Certificate, cas: Sequence[Certificate], at: datetime
    ) -> None:
        known = False
        for crl in self._crls:
            answer = crl_says(crl, one, issuer, at)
            if answer is False:
                raise Refused("a certificate of the path was revoked")
            known |= answer is True
        for response in self._ocsp:
            answer = ocsp_says(response, one, issuer, at)
            if answer is False:
                raise Refused("a certificate of the path was revoked")
            known |= answer is True
        if not known:
            raise NotProved("no list or answer in the bundle says that a certificate of the path was not revoked then")


def _readable(der: bytes) -> Certificate | None:
    try:
        return Certificate.read(der)
    except Refused:
        return None


def _certifies(certificate: Certificate, cas_below: int) -> bool:
    length, purposes = certificate.path_length(), certificate.purposes()
    if purposes is not None and not purposes & _SEALING:
        return False
    return length != -1 and (length is None or cas_below <= length) and certificate.may_sign(_CERT_SIGN)


def crl_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """Whether a complete CRL of ``issuer`` that stood at ``at`` clears ``one`` (True), lists it (False), or is none."""
    try:
        signed = Signed.read(der_whole(der).expect(0x30).children())
        parts = signed.body.expect(0x30).children()
        if parts and parts[0].tag == 0x02:
            parts = parts[1:]
        _, name, this_update, next_update, *rest = parts
        if name.raw != one.issuer or not issuer.may_sign(_CRL_SIGN):
            return None
        for extension in (each for holder in rest if holder.tag == 0xA0 for each in holder.children()[0].children()):
            critical = any(part.content != b"\0" for part in extension.children()[1:-1])
            if critical:  # a delta list, one of another scope, or something unknown
                return None
        if not this_update.time() - SKEW <= at <= next_update.time():
            return None
        signed.verify(issuer.spki)
        for entry in rest[0].children() if rest and rest[0].tag == 0x30 else ():
            serial, since, *more = entry.children()
            if any(part.content == b"\xff" for extension in _extensions(more) for part in extension.children()[1:-1]):
                return None
            if serial.content == one.serial and since.time() <= at:
                return False
    except (Refused, NotProved, ValueError, IndexError):
        return None
    return True


def _extensions(parts: Sequence[Der]) -> Sequence[Der]:
    return parts[0].children() if parts else ()


def ocsp_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """The same for an OCSP response (RFC 6960) by ``issuer``, or by a responder that it certified for that."""
    try:
        _, holder = der_whole(der).expect(0x30).children()
        _, octets = holder.children()[0].children()
        basic = der_whole(octets.expect(0x04).content).expect(0x30).children()
        signed = Signed.read(basic)
        responders = [each.raw for each in basic[3].children()[0].children()] if len(basic) > 3 else []
        _require_responder(signed, [Certificate.read(each) for each in responders], issuer, at)
        answers = next(each for each in signed.body.children() if each.tag == 0x30 and _is_answers(each))
        for answer in answers.children():
            name, status, this_update, *rest = answer.children()
            until = next(
                (each.children()[0].time() for each in rest if each.tag == 0xA0),
                this_update.time() + timedelta(hours=1),
            )
            if _is_about(name, one, issuer) and this_update.time() - SKEW <= at <= until:
                if status.tag == 0x80:
                    return True
                if status.tag == 0xA1 and status.children()[0].time() <= at:
                    return False
    except (Refused, NotProved, ValueError, IndexError, StopIteration):
        return None
    return None


def _is_answers(element: Der) -> bool:
    found = element.children()
    return bool(found) and found[0].tag == 0x30 and len(found[0].children()) >= 3


def _is_about(name: Der, one: Certificate, issuer: Certificate) -> bool:
    algorithm, name_hash, key_hash, serial = name.children()
    digest = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}.get(algorithm.children()[0].oid())
    if digest is None or serial.content != one.serial:
        return False
    key = der_whole(issuer.spki).children()[1].content[1:]
    hashed = (hashlib.new(digest, data, usedforsecurity=False).digest() for data in (one.issuer, key))
    return tuple(hashed) == (name_hash.content, key_hash.content)


def _require_responder(signed: Signed, carried: Sequence[Certificate], issuer: Certificate, at: datetime) -> None:
    for each in carried:
        purposes = each.purposes()
        if purposes is not None and "1.3.6.1.5.5.7.3.9" in purposes and each.not_before <= at <= each.not_after:
            try:
                each.signed.verify(issuer.spki)
                return signed.verify(each.spki)
            except (Refused, NotProved):
                continue
    return signed.verify(issuer.spki)


# The record: RFC 9162 trees, C2SP checkpoints and cosignatures -------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 §2.1.1."""
    return hashlib.sha256(b"\0" + leaf).digest()


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of the tree of ``size`` leaves in which ``leaf`` (its hash) is number ``index`` from 0, by its ``path``.

    RFC 9162 §2.1.3.2. Raises ``Refused`` for a path that fits no such tree.
    """
    if not 0 <= index < size:
        raise Refused("the leaf lies outside its tree")
    node, last, here = leaf, size - 1, index
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Refused("the inclusion proof does not fit its tree")
        if here & 1 or here == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        here, last = here >> 1, last >> 1
    if last:
        raise Refused("the inclusion proof does not fit its tree")
    return node


ED25519_NOTE, COSIGNATURE, SM2_NOTE = b"\x01", b"\x04", b"\xffbandian-gateway/SM2-SM3/v1\n"


@dataclass(frozen=True)
class NoteKey:
    """A verifier key (C2SP signed-note): its name, the four bytes it is found by, its signature type, and the key."""

    name: str
    hint: bytes
    algorithm: bytes
    key: PublicKey

    @classmethod
    def read(cls, line: str) -> "NoteKey":
        """``<name>+<hash>+<base64 of signature type and key>``. Raises ``Refused``."""
        parts = line.split("+", 2)
        if len(parts) != 3:
            raise Refused("not a verifier key")
        name, hint, encoded = parts[0], parts[1], unbase64(parts[2])
        expected = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
        if not name or hint != expected.hex() or not encoded:
            raise Refused("not a verifier key: its hash is another")
        for algorithm in (ED25519_NOTE, COSIGNATURE, SM2_NOTE):
            key = encoded.removeprefix(algorithm)
            if encoded.startswith(SM2_NOTE) and algorithm == SM2_NOTE:
                return cls(name, expected, algorithm, _sm2_note_key(key))
            if len(key) == 32 and len(encoded) == 33:
                return cls(name, expected, algorithm, ed25519.Ed25519PublicKey.from_public_bytes(key))
        raise Refused("not a verifier key: an algorithm unknown here")

    def verify(self, signature: bytes, text: bytes) -> datetime | None:
        """The time that a cosignature tells, None for a plain signature. Raises ``Refused``, ``NotProved``."""
        at = None
        if self.algorithm == COSIGNATURE:
            if len(signature) != 72:
                raise Refused("the signature is wrong")
            seconds, signature = int.from_bytes(signature[:8]), signature[8:]
            at, text = epoch(seconds), f"cosignature/v1\ntime {seconds}\n".encode() + text
        verify_jose("SM2-SM3" if self.algorithm == SM2_NOTE else "EdDSA", self.key, signature, text)
        return at


def _sm2_note_key(key: bytes) -> PublicKey:
    if len(key) != 65 or key[0] != 4:
        raise Refused("not a verifier key: not an uncompressed SM2 point")
    return Sm2Key(int.from_bytes(key[1:33]), int.from_bytes(key[33:]))


@dataclass(frozen=True)
class Checkpoint:
    """A C2SP checkpoint as it was published: ``text`` is what is signed, ``lines`` name, hint and signature."""

    origin: str
    size: int
    root: bytes
    text: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def read(cls, note: str) -> "Checkpoint":
        """Raises ``Refused``."""
        text, parted, signatures = note.rpartition("\n\n")
        body = text.split("\n")
        if (
            not parted
            or not signatures.endswith("\n")
            or len(body) != 3
            or not re.fullmatch(r"0|[1-9][0-9]{0,17}", body[1])
        ):
            raise Refused("not a checkpoint")
        lines = []
        for line in signatures[:-1].split("\n"):
            parts = line.split(" ")
            signature = unbase64(parts[2]) if len(parts) == 3 and parts[0] == "—" else b""
            if len(signature) < 5:
                raise Refused("not a signature line of a checkpoint")
            lines.append((parts[1], signature[:4], signature[4:]))
        return cls(body[0], int(body[1]), unbase64(body[2]), (text + "\n").encode(), tuple(lines))


@dataclass(frozen=True)
class Entry:
    """A record entry whose inclusion in a checkpoint was proved; whether that is signed is told beside it."""

    entry_id: str
    where: str
    action: str
    actor: str
    at: datetime
    result: str
    subject: str | None
    facts: Mapping[str, Any]


def entry_of(proof: Mapping[str, Any], where: str) -> tuple[Entry, Checkpoint]:
    """The entry that ``proof`` is about, and the checkpoint that holds it. Raises ``Refused``."""
    log, sequence, log_size = text_of(proof, "log"), number_of(proof, "sequence"), number_of(proof, "log_size")
    entry_id = text_of(proof, "record_id")
    if entry_id != f"{log}-{sequence}" or sequence < 1:
        raise Refused("the entry's name is not that of its place")
    leaf = unbase64(proof.get("leaf"))
    root = included(leaf_hash(leaf), sequence - 1, log_size, [unbase64(each) for each in list_of(proof, "inclusion")])
    above = proof.get("super_leaf")
    if not isinstance(above, dict):
        raise Refused("the place of the log in the record is missing")
    upper = unbase64(above.get("leaf"))
    said = read_object(upper)
    if (said.get("log"), said.get("last"), said.get("root"), said.get("v")) != (log, log_size, root.hex(), 1):
        raise Refused("the entry is not in its log as the record has it")
    path = [unbase64(each) for each in list_of(above, "inclusion")]
    checkpoint = Checkpoint.read(text_of(proof, "checkpoint"))
    if number_of(above, "size") != checkpoint.size:
        raise Refused("the proof is for another size of the record than its checkpoint")
    if included(leaf_hash(upper), number_of(above, "index"), checkpoint.size, path) != checkpoint.root:
        raise Refused("the log is not in the record as its checkpoint has it")
    spoken = read_object(leaf)
    subject, facts = spoken.get("subject"), spoken.get("facts")
    if not isinstance(facts, dict) or not isinstance(subject, str | None):
        raise Refused("not an entry")
    return (
        Entry(
            entry_id,
            where,
            text_of(spoken, "action"),
            text_of(spoken, "actor"),
            instant_of(spoken, "at"),
            text_of(spoken, "result"),
            subject,
            facts,
        ),
        checkpoint,
    )


# Whom to believe ------------------------------------------------------------------------------------------------------

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Anchors:
    """What DIR holds. What is not there proves nothing, and is said."""

    roots: tuple[Certificate, ...] = ()
    issuers: tuple[Mapping[str, Any], ...] | None = None
    gateway: tuple[NamedKey, ...] = ()
    partners: Mapping[str, tuple[NamedKey, ...]] = field(default_factory=dict)
    identity_issuer: str | None = None
    identity: tuple[NamedKey, ...] = ()
    checkpoints: tuple[NoteKey, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()

    @classmethod
    def read(cls, directory: Path) -> "Anchors":
        """Raises ``Unreadable``, naming the file."""
        if not directory.is_dir():
            raise Unreadable(f"{directory} is no directory")
        identity = _json_file(directory, "identity-provider.json") or {}
        partners = _json_file(directory, "partners.json") or {}
        issuers = _json_file(directory, "issuers.json", list)
        return cls(
            tuple(root for path in sorted((directory / "anchors").glob("*.pem")) for root in _roots(path)),
            None if issuers is None else tuple(each for each in issuers if isinstance(each, dict)),
            _keys("gateway.jwks.json", (_json_file(directory, "gateway.jwks.json") or {}).get("keys", [])),
            {code: _keys("partners.json", keys) for code, keys in partners.items()},
            identity.get("issuer") if isinstance(identity.get("issuer"), str) else None,
            _keys("identity-provider.json", identity.get("keys", [])),
            _note_keys(directory / "checkpoints.vkeys"),
            _note_keys(directory / "witnesses.vkeys"),
        )


def _json_file(directory: Path, name: str, kind: type = dict) -> Any:
    path = directory / name
    if not path.exists():
        return None
    try:
        found = read_json(path.read_bytes())
    except (OSError, Refused):
        raise Unreadable(f"{name} in DIR is not JSON that can be read") from None
    if not isinstance(found, kind):
        raise Unreadable(f"{name} in DIR is not as it should be")
    return found


def _keys(name: str, members: object) -> tuple[NamedKey, ...]:
    """JWKs, or objects with a ``jwk`` and when it counts. A key of a type unknown here is passed over."""
    found: list[NamedKey] = []
    for member in members if isinstance(members, list) else ():
        try:
            terms = member if isinstance(member, dict) and "jwk" in member else {"jwk": member}
            jwk = terms["jwk"]
            ends = [instant_of(terms, each) for each in ("valid_until", "revoked_at") if terms.get(each) is not None]
            begins = instant_of(terms, "valid_from") if terms.get("valid_from") is not None else None
            use = terms.get("use") if "jwk" in member else None
            found.append(NamedKey(text_of(jwk, "kid"), key_of_jwk(jwk), use, begins, min(ends, default=None)))
        except (Refused, AttributeError, TypeError):
            continue
    if members and not found:
        raise Unreadable(f"{name} in DIR holds no key that can be used")
    return tuple(found)


def _note_keys(path: Path) -> tuple[NoteKey, ...]:
    if not path.exists():
        return ()
    try:
        return tuple(NoteKey.read(line) for line in path.read_text("utf-8").split("\n") if line and line[0] != "#")
    except (OSError, ValueError, Refused):
        raise Unreadable(f"{path.name} in DIR holds something that is no verifier key") from None


def _roots(path: Path) -> list[Certificate]:
    try:
        blocks = _PEM.findall(path.read_bytes())
        found = [Certificate.read(base64.b64decode(b"".join(each.split()), validate=True)) for each in blocks]
    except (OSError, ValueError, Refused):
        found = []
    if not found:
        raise Unreadable(f"anchors/{path.name} in DIR holds no certificate that can be read")
    return found


# The bundle -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """All statements, in the order in which they were looked at."""

    findings: tuple[Finding, ...]

    def count(self, mark: str) -> int:
        """How many of a mark."""
        return sum(each.mark == mark for each in self.findings)

    @property
    def exit_code(self) -> int:
        """As the module says."""
        if self.count(WRONG):
            return 1
        return 2 if self.count(UNKNOWN) or not self.count(PROVED) else 0


def verify_evidence(bundle: bytes, anchors: Anchors) -> Report:
    """Everything that ``bundle`` states, proved or not. Never raises for what it holds."""
    checking = _Checking(anchors)
    try:
        checking.files = read_archive(bundle)
    except Broken as broken:
        checking.say(WRONG, "archive", broken.name, why=broken.why)
        return Report(tuple(checking.findings))
    try:
        if checking.manifest():
            checking.everything()
    except Exception as fault:  # a fault of this verifier must not pass for a proof, nor for a traceback
        checking.say(WRONG, "fault", "", why=type(fault).__name__)
    return Report(tuple(checking.findings))


class _Checking:
    """One bundle under examination."""

    def __init__(self, anchors: Anchors) -> None:
        self.anchors = anchors
        self.files: dict[str, bytes] = {}
        self.findings: list[Finding] = []
        self.entries: dict[str, Entry] = {}
        self._claims: dict[str, Any] = {}
        self._seen: set[str] = {MANIFEST}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._application, self._issuer = "", ""

    def say(self, mark: str, code: str, where: str = "", **facts: object) -> None:
        """Note a statement."""
        self.findings.append(Finding(mark, code, where, facts))

    def _try(
        self, work: Callable[[], None], wrong: str, where: str, unknown: str | None = None, **facts: object
    ) -> bool:
        """Do ``work``; what it refuses is told under ``wrong``, what it cannot prove under ``unknown`` or the same."""
        try:
            work()
        except NotProved as doubt:
            self.say(UNKNOWN, unknown or wrong, where, why=str(doubt), **facts)
        except Refused as flaw:
            self.say(WRONG, wrong, where, why=str(flaw), **facts)
        else:
            return True
        return False

    def _object(self, name: str) -> dict[str, Any] | None:
        """The JSON object in a file; None where the file is not there, or (which is told) is not one."""
        if name not in self.files:
            return None
        self._seen.add(name)
        try:
            return read_object(self.files[name])
        except Refused as flaw:
            self.say(WRONG, "file.format", name, why=str(flaw))
            return None

    # The manifest: which files there are, by the gateway's signature

    def manifest(self) -> bool:
        """Whether the files are those of a manifest that can be read; its signature is told in any case."""
        if MANIFEST not in self.files:
            self.say(WRONG, "file.missing", MANIFEST)
            return False
        return self._try(self._read_manifest, "manifest.wrong", MANIFEST) and self._files_are_listed()

    def _read_manifest(self) -> None:
        token = Jws.read(self.files[MANIFEST], "evidence-manifest+jwt")
        self._claims = token.claims()
        if number_of(self._claims, "v") != VERSION:
            raise Refused("a version that this verifier does not know")
        self._application, self._issuer = text_of(self._claims, "application"), text_of(self._claims, "iss")
        at = epoch(self._claims.get("iat"))
        listed = self._claims.get("files")
        if not isinstance(listed, dict) or not isinstance(self._claims.get("redacted"), bool):
            raise Refused("it is incomplete")
        answering = [key for key in self.anchors.gateway if key.kid.startswith("answer-")]
        facts = {"at": told(at), "files": len(listed)}
        try:
            kid = verify_by_one(token, answering, "any", at, "the gateway")
        except NotProved as doubt:
            self.say(UNKNOWN, "manifest.wrong", MANIFEST, why=str(doubt))
        else:
            self.say(PROVED, "manifest", MANIFEST, key=kid, **facts)

    def _files_are_listed(self) -> bool:
        listed: Mapping[str, Any] = self._claims["files"]
        whole = True
        for name in sorted({*listed, *self.files} - {MANIFEST}):
            if name not in self.files:
                self.say(WRONG, "file.missing", name)
            elif name not in listed:
                self.say(WRONG, "file.extra", name)
            elif listed[name] != {"sha256": sha256_hex(self.files[name]), "size": len(self.files[name])}:
                self.say(WRONG, "file.digest", name)
            else:
                continue
            whole = False
        return whole

    # Everything that the files say

    def everything(self) -> None:
        """The record first: all else is held against it."""
        self._record()
        self._application_itself()
        self._authorisation()
        self._identity()
        self._certificates()
        self._disclosures()
        self._outcomes()
        self._deliveries()
        left: dict[str, int] = {}
        for each in self._left_out():
            left[str(each.get("what"))] = left.get(str(each.get("what")), 0) + (each.get("why") == "redacted")
        for what, count in sorted(left.items()):
            if count:
                self.say(WITHHELD, "withheld", "", what=what, count=count)
        for name in sorted(self.files.keys() - self._seen):
            self.say(UNKNOWN, "file.unused", name)
        self.say(STATED, "limits")

    def _left_out(self) -> list[Mapping[str, Any]]:
        found = self._claims.get("left_out")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def _why_absent(self, what: str, digest: str) -> tuple[str, str]:
        """The mark and the reason for a document that is not there."""
        for each in self._left_out():
            if each.get("what") == what and each.get("sha256") == digest:
                why = str(each.get("why"))
                redacted = why == "redacted" and self._claims["redacted"] is True
                return (WITHHELD if redacted else UNKNOWN), why
        return UNKNOWN, "the manifest does not say why"

    # The record

    def _record(self) -> None:
        for name in sorted(each for each in self.files if each.startswith("record/")):
            self._seen.add(name)
            self._try(lambda name=name: self._take_entry(name), "record.wrong", name, entry=name[7:-5])  # type: ignore[misc]
        own = self._own_subjects()
        for entry in sorted(self.entries.values(), key=lambda each: (each.at, each.entry_id)):
            if entry.subject not in own and not self._is_identity(entry):
                self.say(WRONG, "record.other", entry.where, entry=entry.entry_id)
                continue
            facts = {"entry": entry.entry_id, "at": told(entry.at), "actor": entry.actor}
            self.say(PROVED, "record", entry.where, **facts, action=entry.action, result=entry.result)
        for note, checkpoint in sorted(self._checkpoints.items()):
            self._checkpoint(note, checkpoint)
        if self._checkpoints and not self.anchors.witnesses:
            self.say(STATED, "record.nowitness")

    def _take_entry(self, name: str) -> None:
        proof = read_object(self.files[name])
        entry, checkpoint = entry_of(proof, name)
        if name != f"record/{entry.entry_id}.json":
            raise Refused("the file is named after another entry")
        self.entries[entry.entry_id] = entry
        self._checkpoints.setdefault(text_of(proof, "checkpoint"), checkpoint)

    def _own_subjects(self) -> set[str | None]:
        """The application, the intake it came from, and the review that it passed."""
        own: set[str | None] = {self._application}
        own |= {each.facts.get("intake_id") for each in self._of("application.submitted")}
        mine = [each for each in self.entries.values() if each.action == "intake.previewed" and each.subject in own]
        own |= {each.facts.get("session") for each in mine}
        own |= {
            each.facts.get("task")
            for each in self.entries.values()
            if each.action == "review.opened" and each.subject in own
        }
        return own - {None}

    def _is_identity(self, entry: Entry) -> bool:
        named = {each.facts.get("identity_sha256") for each in self._of("application.submitted")} - {None}
        return entry.action == "identity.verified" and entry.facts.get("assertion_sha256") in named

    def _of(self, *actions: str) -> list[Entry]:
        """This application's own entries of some actions, oldest first."""
        own = (each for each in self.entries.values() if each.action in actions and each.subject == self._application)
        return sorted(own, key=lambda each: (each.at, each.entry_id))

    def _checkpoint(self, note: str, checkpoint: Checkpoint) -> None:
        where = next(entry for entry in sorted(self.files) if entry.startswith("record/") and self._holds(entry, note))
        others = [each for each in self._checkpoints.values() if each.size == checkpoint.size]
        if any(each.root != checkpoint.root for each in others):
            self.say(WRONG, "checkpoint.wrong", where, key=checkpoint.origin)
            return
        signed = False
        cosigned = False
        for name, hint, signature in checkpoint.lines:
            for key in (*self.anchors.checkpoints, *self.anchors.witnesses):
                if (key.name, key.hint) != (name, hint):
                    continue
                try:
                    at = key.verify(signature, checkpoint.text)
                except NotProved:
                    continue
                except Refused:
                    self.say(WRONG, "checkpoint.wrong", where, key=name)
                    continue
                if key in self.anchors.witnesses and at is not None:
                    cosigned = True
                    self.say(PROVED, "witness", where, key=name, at=told(at), size=checkpoint.size)
                elif key in self.anchors.checkpoints and name == checkpoint.origin:
                    signed = True
                    self.say(PROVED, "checkpoint", where, key=name, size=checkpoint.size)
        if not signed:
            self.say(UNKNOWN, "checkpoint.unsigned", where)
        if self.anchors.witnesses and not cosigned:
            self.say(UNKNOWN, "witness.none", where)

    def _holds(self, name: str, note: str) -> bool:
        try:
            return read_object(self.files[name]).get("checkpoint") == note
        except Refused:
            return False

    # The application, its authorisation, and who applied

    def _application_itself(self) -> None:
        name = "application.json"
        account, submitted = self._object(name), self._of("application.submitted")
        if not submitted:
            self.say(UNKNOWN, "application.nosubmission")
        elif account is not None:
            self._try(lambda: self._compare_application(account, submitted[0]), "application.wrong", name)

    def _compare_application(self, account: Mapping[str, Any], submitted: Entry) -> None:
        if account.get("application_id") != self._application:
            raise Refused("it is another application")
        for name in ("utility", "region", "customer_class", "intake"):
            if account.get(name) != submitted.facts.get(name):
                raise Refused(f"{name} is another")
        if abs(instant_of(account, "received_at") - submitted.at) > timedelta(seconds=1):
            raise Refused("received_at is another")
        facts = {"id": self._application, "utility": account["utility"], "clazz": account["customer_class"]}
        self.say(PROVED, "application", "application.json", **facts)

    def _authorisation(self) -> None:
        name = "authorisation.json"
        account = self._object(name)
        worded: set[str] = set()
        if account is not None:
            self._try(lambda: worded.update(self._words(account)), "authorisation.wrong", name)
        for entry in self._of("authorisation.granted", "authorisation.renewed"):
            if entry.result == "done" and entry.entry_id not in worded:
                self.say(UNKNOWN, "authorisation.nowords", entry.where, entry=entry.entry_id)

    def _words(self, account: Mapping[str, Any]) -> Iterator[str]:
        granted = self._of("authorisation.granted")
        if account.get("application_id") != self._application or not granted:
            raise Refused("it is another application's, or was never recorded")
        for name in ("utility", "kinds", "purposes"):
            if account.get(name) != granted[0].facts.get(name):
                raise Refused(f"{name} is another")
        if account.get("authorisation_id") != granted[0].facts.get("authorisation"):
            raise Refused("it is another authorisation")
        for statement in objects_of(account, "statements"):
            text, entry = text_of(statement, "text"), self.entries.get(text_of(statement, "record_id"))
            if entry is None or entry.subject != self._application:
                raise Refused("it names an entry that is not in the bundle")
            if entry.facts.get("statement_sha256") != sha256_hex(text.encode()):
                raise Refused("the words are not those whose digest was recorded")
            self.say(PROVED, "authorisation", "authorisation.json", id=account["authorisation_id"], text=text)
            yield entry.entry_id

    def _identity(self) -> None:
        name = "identity/assertion.jws"
        self._seen.add(name)
        named = {each.facts.get("identity_sha256") for each in self._of("application.submitted")}
        digest = next((each for each in named if isinstance(each, str)), "")
        if name in self.files:
            self._try(lambda: self._assertion(self.files[name], digest), "identity.wrong", name)
        elif self._of("application.submitted"):
            mark, why = self._why_absent("assertion", digest)
            self.say(mark, "identity.absent", "", why=why)

    def _assertion(self, data: bytes, digest: str) -> None:
        entry = next((each for each in self.entries.values() if self._is_identity(each)), None)
        if sha256_hex(data) != digest or entry is None or entry.facts.get("assertion_sha256") != digest:
            raise Refused("it is not the one that was recorded for this application")
        token = Jws.read(data, "identity-assertion+jwt")
        claims = token.claims()
        if self.anchors.identity_issuer is None:
            raise NotProved("DIR does not name the identity provider")
        if claims.get("iss") != self.anchors.identity_issuer:
            raise Refused("it is another issuer's")
        if not epoch(claims.get("iat")) - SKEW <= entry.at <= epoch(claims.get("exp")) + SKEW:
            raise Refused("it was not in force when it was used")
        verify_by_one(token, self.anchors.identity, "any", entry.at, "the identity provider")
        method = claims.get("amr")
        facts = {"issuer": claims["iss"], "method": method[0] if isinstance(method, list) and method else "?"}
        self.say(PROVED, "identity", "identity/assertion.jws", **facts, at=told(entry.at))

    # Certificates

    def _certificates(self) -> None:
        account = self._object("certificates.json") or {}
        others = [self.files[each] for each in sorted(self.files) if each.startswith("chain/")]
        judgements = [each for each in _listed(account, "judgements") if isinstance(each, dict)]
        self._seen |= {each for each in self.files if each.startswith("chain/")}
        self._seen |= {name for each in judgements for name in self._rested_on(each)}
        covered: set[tuple[str, str]] = set()
        missing: dict[tuple[str, str], str] = {}
        for judgement in judgements:
            kind, digest = str(judgement.get("kind")), str(judgement.get("envelope_sha256"))
            facts = {"kind": kind, "at": str(judgement.get("judged_at"))}
            if (kind, digest) not in self._spoken_of():
                self.say(UNKNOWN, "certificate.unbound", "certificates.json", kind=kind)
            elif judgement.get("verdict") != "valid":
                judged = {"verdict": judgement.get("verdict"), "check": judgement.get("check")}
                self.say(STATED, "certificate.verdict", "certificates.json", kind=kind, **judged)
            elif (name := self._envelope(digest)) is None:
                missing.setdefault((kind, digest), "certificates.json")
            else:
                covered.add((kind, digest))
                work = lambda j=judgement, n=name: self._certificate(j, n, others)  # noqa: E731
                self._try(work, "certificate.wrong", name, "certificate.unknown", **facts)
        for kind, verdict, digest, where in self._documents():
            if verdict == "self_declared":
                self.say(STATED, "declared", where, kind=kind)
            else:
                missing[kind, digest] = where
        for (kind, digest), where in missing.items():
            if (kind, digest) not in covered:
                mark, why = self._why_absent("envelope", digest)
                self.say(mark, "certificate.absent", where, kind=kind, why=why, digest=digest)

    def _rested_on(self, judgement: Mapping[str, Any]) -> Iterator[str]:
        """The files that a judgement names, whatever it has in place of texts."""
        lists = judgement.get("status_lists")
        named = [*(lists.values() if isinstance(lists, dict) else ()), *_listed(judgement, "crls")]
        for digest in (*named, *_listed(judgement, "ocsp")):
            yield from (f"status/{digest}.{suffix}" for suffix in ("jwt", "crl", "ocsp"))
        yield from (f"certificates/{judgement.get('envelope_sha256')}.{suffix}" for suffix in ("jws", "ofd"))

    def _envelope(self, digest: str) -> str | None:
        return next(
            (each for suffix in ("jws", "ofd") if (each := f"certificates/{digest}.{suffix}") in self.files), None
        )

    def _documents(self) -> Iterator[tuple[str, str, str, str]]:
        """Kind, verdict and digest of each document that the application rests on, and the entry that says so."""
        for entry in self._of("application.submitted"):
            for each in entry.facts.get("documents") or ():
                parts = str(each).split(":")
                if len(parts) == 3:
                    yield parts[0], parts[1], parts[2], entry.where

    def _spoken_of(self) -> set[tuple[str, str]]:
        spoken = {(kind, digest) for kind, _, digest, _ in self._documents()}
        for entry in self._of("licence.disclosed", "certificate.changed"):
            spoken.add((str(entry.facts.get("kind")), str(entry.facts.get("envelope_sha256"))))
        return spoken

    def _certificate(self, judgement: Mapping[str, Any], name: str, others: Sequence[bytes]) -> None:
        at, envelope = instant_of(judgement, "judged_at"), self.files[name]
        if sha256_hex(envelope) != judgement["envelope_sha256"]:
            raise Refused("the envelope is not the one whose digest was recorded")
        if not name.endswith(".jws"):
            raise NotProved("the seals of an OFD document are not checked by this verifier; only its digest is")
        crls = [self._status_file(each, "crl") for each in texts_of(judgement, "crls")]
        ocsp = [self._status_file(each, "ocsp") for each in texts_of(judgement, "ocsp")]
        paths = Paths(self.anchors.roots, others, crls, ocsp)
        token = Jws.read(envelope, "ecert+jwt", x5c=True)
        leaf, path = self._sealed(token, paths, at)
        claims = token.claims()
        metadata = claims.get("certificate")
        if not isinstance(metadata, dict) or claims.get("iss") != leaf.attribute("2.5.4.97"):
            raise Refused("the seal is not that of the authority that the certificate names")
        if metadata.get("ZZBFJGDM") != claims["iss"]:
            raise Refused("the seal is not that of the authority that the certificate names")
        self._require_dates(metadata, at)
        kind = text_of(judgement, "kind")
        self._require_entitled(str(claims["iss"]), kind, path[1], at)
        self._require_standing(claims, judgement, paths, at, kind)
        self.say(PROVED, "certificate", name, kind=kind, title=str(metadata.get("ZZMC")), at=told(at))

    def _status_file(self, digest: str, suffix: str) -> bytes:
        data = self.files.get(f"status/{digest}.{suffix}")
        if data is None:
            raise NotProved("evidence that the verdict rested on is not in the bundle")
        if sha256_hex(data) != digest:
            raise Refused("a file of evidence is named after another digest")
        return data

    def _sealed(self, token: Jws, paths: Paths, at: datetime) -> tuple[Certificate, list[Certificate]]:
        chain = token.header.get("x5c")
        if not isinstance(chain, list) or not 1 <= len(chain) <= 6:
            raise Refused("it carries no certificates")
        leaf, *carried = [unbase64(each) for each in chain]
        told = {"x5t": hashlib.sha1(leaf, usedforsecurity=False), "x5t#S256": hashlib.sha256(leaf)}
        if any(name in token.header and unbase64url(str(token.header[name])) != told[name].digest() for name in told):
            raise Refused("its header names another certificate than it carries")
        certificate = Certificate.read(leaf)
        token.verify(key_of_spki(certificate.spki))
        path = paths.require(certificate, carried, at)
        if len(path) < 2:
            raise NotProved("the seal is an anchor itself")
        return certificate, path

    def _require_dates(self, metadata: Mapping[str, Any], at: datetime) -> None:
        on = (at + timedelta(hours=8)).date().isoformat()
        begins, ends = metadata.get("ZZYXQQSRQ"), metadata.get("ZZYXQJZRQ")
        if not isinstance(begins, str) or not (ends is None or isinstance(ends, str)):
            raise Refused("its dates cannot be read")
        if on < begins or (ends is not None and on > ends):
            raise Refused("it was not within its own dates")

    def _require_entitled(self, authority: str, kind: str, issuing_ca: Certificate, at: datetime) -> None:
        if self.anchors.issuers is None:
            raise NotProved("DIR has no issuers.json: whether this authority may issue it is not known")
        on = (at + timedelta(hours=8)).date().isoformat()
        own = [
            each
            for each in self.anchors.issuers
            if each.get("authority_code") == authority
            and kind in (each.get("kinds") or ())
            and (each.get("from") or "") <= on <= (each.get("to") or "9999-12-31")
        ]
        if not own:
            raise Refused("issuers.json does not entitle this authority")
        pins = [[pin] if isinstance(pin, str) else pin for each in own if (pin := each.get("issuing_ca")) is not None]
        if pins and not any(sha256_hex(issuing_ca.spki) in pin for pin in pins):
            raise Refused("the seal is certified by another CA than issuers.json pins")

    def _require_standing(
        self, claims: Mapping[str, Any], judgement: Mapping[str, Any], paths: Paths, at: datetime, kind: str
    ) -> None:
        status = claims.get("status")
        reference = status.get("status_list") if isinstance(status, dict) else None
        lists = judgement.get("status_lists")
        if not isinstance(reference, dict) or not isinstance(lists, dict):
            raise NotProved("it names no status list")
        uri, index = text_of(reference, "uri"), number_of(reference, "idx")
        if uri not in lists:
            raise NotProved("the status list that it names is not in the bundle")
        token = Jws.read(self._status_file(str(lists[uri]), "jwt"), "statuslist+jwt", x5c=True)
        signer, path = self._sealed(token, paths, at)
        said = token.claims()
        if said.get("sub") != uri:
            raise Refused("the status list is another one")
        issued = epoch(said.get("iat"))
        if not issued - SKEW <= at or (said.get("exp") is not None and at > epoch(said["exp"])):
            raise NotProved("the status list is not of that time")
        if at - issued > MAX_STATUS_AGE:
            raise NotProved("the status list was older than a day then")
        authority = signer.attribute("2.5.4.97") or ""
        try:
            self._require_entitled(authority, "status_list", path[1], at)
        except Refused:
            if authority != claims.get("iss"):
                raise
            self._require_entitled(authority, kind, path[1], at)
        listed = said.get("status_list")
        if not isinstance(listed, dict) or status_at(listed, index) != 0:
            raise Refused("the status list said that it is revoked or suspended")

    # What was disclosed, decided and delivered

    def _disclosures(self) -> None:
        for entry in self._of("stage.started", "stage.completed"):
            if entry.result == "done":
                said = {name: entry.facts.get(name) for name in ("stage", "claimed_at", "counted_at")}
                action = entry.action.removeprefix("stage.")
                times = {"claimed": said["claimed_at"], "counted": said["counted_at"]}
                self.say(PROVED, "stage", entry.where, stage=said["stage"], action=action, **times)
        for entry in self._of("licence.disclosed"):
            facts, fields = entry.facts, entry.facts.get("fields")
            if entry.result == "done":
                names = "、".join(map(str, fields)) if isinstance(fields, list) and fields else "—"
                told_of = {"kind": facts.get("kind"), "verdict": facts.get("verdict"), "fields": names}
                self.say(PROVED, "disclosed", entry.where, at=told(entry.at), who=entry.actor, **told_of)

    def _outcomes(self) -> None:
        account = self._object("outcomes.json") or {}
        kept: set[str] = set()
        for outcome in _listed(account, "outcomes"):
            facts = {each: str(outcome.get(each)) for each in ("department",)} if isinstance(outcome, dict) else {}
            facts["outcome"] = str(outcome.get("outcome_id")) if isinstance(outcome, dict) else ""
            work = lambda o=outcome: kept.add(self._outcome(o))  # noqa: E731
            self._try(
                work, "outcome.wrong", "outcomes.json", department=facts.get("department", ""), outcome=facts["outcome"]
            )
        self._seen |= {each for each in self.files if each.startswith("outcomes/")}
        for entry in self._of("outcome.received", "outcome.noted"):
            digest = str(entry.facts.get("signed_sha256"))
            if digest not in kept and f"outcomes/{digest}.jws" not in self.files:
                mark, why = self._why_absent("outcome", digest)
                named = {"department": entry.actor, "outcome": entry.facts.get("outcome")}
                self.say(mark, "outcome.absent", entry.where, why=why, **named)

    def _outcome(self, outcome: object) -> str:
        if not isinstance(outcome, dict):
            raise Refused("not an object")
        digest, department = text_of(outcome, "sha256"), text_of(outcome, "department")
        entry = self.entries.get(text_of(outcome, "record_id"))
        if entry is None or entry.subject != self._application or entry.facts.get("signed_sha256") != digest:
            raise Refused("the record does not speak of it")
        if entry.actor != department or entry.facts.get("outcome") != outcome.get("outcome_id"):
            raise Refused("the record says it of another department or outcome")
        name = f"outcomes/{digest}.jws"
        if name not in self.files:
            return ""
        if sha256_hex(self.files[name]) != digest:
            raise Refused("the document is not the one whose digest was recorded")
        token = Jws.read(self.files[name].strip(), "approval-outcome+jwt")
        if token.claims().get("iss") != department:
            raise Refused("it is another department's")
        verify_by_one(token, self.anchors.partners.get(department, ()), "outcome", entry.at, department)
        self.say(PROVED, "outcome", name, department=department, outcome=outcome["outcome_id"], at=told(entry.at))
        return digest

    def _deliveries(self) -> None:
        account = self._object("deliveries.json") or {}
        self._seen |= {each for each in self.files if each.startswith("deliveries/")}
        counted: dict[str, list[int]] = {}
        for event in _listed(account, "events"):
            if not isinstance(event, dict):
                self.say(WRONG, "file.format", "deliveries.json", why="not an object")
                continue
            named = {"destination": str(event.get("destination")), "event": str(event.get("event_id"))}
            sequence = event.get("sequence")
            counted.setdefault(named["destination"], []).append(sequence if isinstance(sequence, int) else 0)
            where = f"deliveries/{named['event']}.jws"
            self._try(lambda e=event: self._delivery(e), "receipt.wrong", where, **named)  # type: ignore[misc]
            attempts = event.get("attempts")
            self.say(
                STATED, "attempts", "deliveries.json", **named, count=len(attempts) if isinstance(attempts, list) else 0
            )
        for destination, sequences in sorted(counted.items()):
            for missing in sorted({*range(1, len(sequences) + 1)} - {*sequences}):
                self.say(UNKNOWN, "delivery.hole", "deliveries.json", destination=destination, sequence=missing)

    def _delivery(self, event: Mapping[str, Any]) -> None:
        event_id, destination, sequence = (
            text_of(event, "event_id"),
            text_of(event, "destination"),
            number_of(event, "sequence"),
        )
        named = {"event": event_id, "destination": destination}
        receipted = [
            each
            for each in self._of("delivery.receipted")
            if each.facts.get("event") == event_id and each.facts.get("destination") == destination
        ]
        if not receipted:
            self.say(UNKNOWN, "delivery.open", "deliveries.json", **named, state=event.get("state"))
            return
        digests = {each.facts.get("receipt_sha256"): each for each in receipted}
        body, receipt = (self.files.get(f"deliveries/{event_id}.{suffix}") for suffix in ("json", "jws"))
        if event.get("channel") == "department":
            self.say(STATED, "receipt.unsigned", receipted[0].where, **named)
            return
        if receipt is None:
            mark, why = self._why_absent("receipt", str(receipted[-1].facts.get("receipt_sha256")))
            self.say(mark, "receipt.absent", receipted[-1].where, **named, why=why)
            return
        entry = digests.get(sha256_hex(receipt))
        if entry is None:
            raise Refused("it is not the one whose digest was recorded")
        token = Jws.read(receipt, "delivery-receipt+jwt")
        claims = token.claims()
        if (claims.get("iss"), claims.get("aud"), claims.get("event_id")) != (destination, self._issuer, event_id):
            raise Refused("it is for another event, or another receiver's")
        verify_by_one(token, self.anchors.partners.get(destination, ()), "receipt", entry.at, destination)
        if body is None:
            self.say(PROVED, "receipt", f"deliveries/{event_id}.jws", **named, sequence=sequence)
            return
        if claims.get("body_sha256") != sha256_hex(body):
            raise Refused("it is for another content than the bundle's")
        said = read_object(body)
        if (said.get("id"), said.get("subject"), said.get("sequence")) != (event_id, self._application, sequence):
            raise Refused("the event is another one")
        self.say(PROVED, "receipt.body", f"deliveries/{event_id}.jws", **named, sequence=sequence)


def _listed(account: Mapping[str, Any], name: str) -> list[Any]:
    found = account.get(name)
    return found if isinstance(found, list) else []


def status_at(listed: Mapping[str, Any], index: int) -> int:
    """One status of a Token Status List. Raises ``Refused``."""
    bits, packed = listed.get("bits"), unbase64url(text_of(listed, "lst"))
    if bits not in (1, 2, 4, 8):
        raise Refused("a status list of another form")
    try:
        stream = zlib.decompressobj()
        unpacked = stream.decompress(packed, 1 << 22)
    except zlib.error:
        raise Refused("a status list that cannot be unpacked") from None
    per_byte = 8 // bits
    if not stream.eof or stream.unused_data or index >= len(unpacked) * per_byte:
        raise Refused("the certificate has no place in the status list")
    return int(unpacked[index // per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1))


# The command ----------------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(3, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; answers the exit code."""
    parser = _Parser(prog="verify-evidence", description="核验证据包 / verify an evidence bundle", exit_on_error=True)
    parser.add_argument("bundle", type=Path, help="证据包（.zip） / the bundle")
    parser.add_argument("--anchors", type=Path, required=True, metavar="DIR", help="信任材料目录 / whom to believe")
    parser.add_argument("--lang", choices=("zh", "en"), default="zh", help="输出语言 / language")
    options = parser.parse_args(arguments)
    try:
        try:
            with options.bundle.open("rb") as stream:
                bundle = stream.read(MAX_BUNDLE_BYTES + 1)
        except OSError as error:
            raise Unreadable(f"{options.bundle}: {error.strerror}") from None
        if len(bundle) > MAX_BUNDLE_BYTES or not bundle.startswith(b"PK\x03\x04"):
            raise Unreadable(f"{options.bundle}: not an evidence bundle")
        report = verify_evidence(bundle, Anchors.read(options.anchors))
    except Unreadable as error:
        _print(Finding(WRONG, "unreadable", "", {"why": str(error)}).text(options.lang), sys.stderr)
        return 3
    for finding in report.findings:
        _print(finding.text(options.lang), sys.stdout)
    counts: dict[str, object] = {mark: report.count(mark) for mark in (PROVED, UNKNOWN, WRONG, WITHHELD)}
    _print(printable(WORDS["summary"][0 if options.lang == "zh" else 1].format_map(counts)), sys.stdout)
    return report.exit_code


def _print(line: str, stream: Any) -> None:
    """A line, also where the terminal's encoding has no such characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
