"""Bundles that were made to be expensive: each ends soon, in little memory, and says that it was too much."""

import base64
import json
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.evidence import verify_evidence as alone
from gateway.evidence.archive import write_archive
from gateway.evidence.verify_evidence import MANIFEST, PROVED, UNKNOWN, WRONG, Broken, read_archive, verify_evidence
from gateway.evidence.verify_evidence.work import LIMITS, bounded, once, spend
from gateway.records.entries import RecordEntry
from tests.support import x509_writer as x509
from tests.support.evidence import lone_entry, without
from tests.support.partners import es256_key
from tests.support.zip_writer import Entry, Zip
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told

FEW = {
    **LIMITS,
    "signatures": 3_000,
    "bytes": 128 << 20,
    "elements": 200_000,
    "certificates": 500,
    "statements": 500,
    "bytes of JSON": 30 << 20,
}
"""So that a test takes seconds where a real bundle may take a minute."""

AUTHORITY = x509.root()


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def made_by_anybody(
    made: Made, files: Mapping[str, bytes], documents: Sequence[str] = (), redacted: bool = False
) -> bytes:
    """A bundle that whoever sends it made alone: the manifest is by a key that DIR does not know."""
    at = x509.AT
    facts = {"documents": [*documents], "utility": "u"}
    entry = RecordEntry("application.submitted", at, "applicant", made.application_id, facts=facts)
    whole = {**lone_entry(made.keys, entry, at), **files}
    claims = {
        "iss": "x",
        "iat": int((at + timedelta(days=1)).timestamp()),
        "v": 1,
        "application": made.application_id,
        "redacted": redacted,
        "files": {name: {"sha256": digest(body), "size": len(body)} for name, body in whole.items()},
    }
    return write_archive({**whole, MANIFEST: sign_jws(claims, es256_key("answer-x"), "evidence-manifest+jwt").encode()})


def judged(envelopes: Mapping[str, bytes], **rested: Any) -> dict[str, bytes]:
    """An account of a judgement for each of ``envelopes``, and they themselves; ``rested`` is what they rest on."""
    said = {
        "kind": "k",
        "verdict": "valid",
        "judged_at": x509.AT.isoformat(),
        "status_lists": {},
        "crls": [],
        "ocsp": [],
    }
    judgements = [{**said, "envelope_sha256": digest(body), **rested} for body in envelopes.values()]
    account = {"certificates.json": json.dumps({"v": 1, "judgements": judgements}).encode()}
    return {**account, **{f"certificates/{digest(body)}.{name[-3:]}": body for name, body in envelopes.items()}}


def spoken(envelopes: Mapping[str, bytes]) -> list[str]:
    return [f"k:valid:{digest(body)}" for body in envelopes.values()]


def bombs(count: int) -> dict[str, bytes]:
    """Documents that unpack to 60 MiB each."""
    zeros = bytes(60 << 20)
    packed = Entry(b"", zeros).bytes_packed()
    checksum = zlib.crc32(zeros)
    return {
        f"{n}.ofd": Zip([Entry(b"%d" % n, packed=packed, size=len(zeros), checksum=checksum)]).build()
        for n in range(count)
    }


def sealed(key: x509.Entity, *chain: bytes) -> bytes:
    """A JWS sealed by ``key``, with a chain that may be anything."""
    header = {"x5c": [base64.b64encode(each).decode() for each in (key.certificate, *chain)]}
    return sign_jws({"iss": "x"}, SigningKey("seal", "ES256", key.key), "ecert+jwt", header).encode()


def unpacking(made: Made) -> bytes:
    return made_by_anybody(made, judged(bombs(8)), spoken(bombs(8)))


def listing(made: Made) -> bytes:
    """Lists of certificates that were revoked, of 20,000 each, beside a seal that leads to an anchor."""
    ca = AUTHORITY
    lists = [x509.crl(ca, *[x509.Revoked(10**6 + n) for n in range(20_000)], number=number) for number in range(4)]
    envelopes = {"a.jws": sealed(ca.issue("seal"), ca.certificate)}
    files = {f"status/{digest(each)}.crl": each for each in lists}
    account = judged(envelopes, crls=[digest(each) for each in lists])
    return made_by_anybody(made, {**account, **files}, spoken(envelopes))


def certifying(made: Made) -> bytes:
    """Hundreds of certificates of CAs of one name."""
    ca, key = x509.root("one name"), x509.p256()
    others = [x509.make("one name", x509.ca(), x509.CA_USAGE, key=key).certificate for _ in range(600)]
    envelopes = {"a.jws": sealed(ca.issue("seal"))}
    files = {f"chain/{digest(each)}.der": each for each in others}
    return made_by_anybody(made, {**judged(envelopes), **files}, spoken(envelopes))


def computing(made: Made) -> bytes:
    """Dozens of keys of SM2, any of which could have signed: to know that none did, each must be tried."""
    issuer, key, point = x509.name("one name"), x509.p256(), alone.sm2._G
    others = []
    for _ in range(64):
        point = alone.sm2._add(point, alone.sm2._add(point, alone.sm2._G)) or point
        public = x509.encode(3, b"\0\4" + point[0].to_bytes(32) + point[1].to_bytes(32))
        curve = x509.seq(x509.oid("1.2.840.10045.2.1"), x509.oid("1.2.156.10197.1.301"))
        others.append(unsigned(issuer, issuer, x509.seq(curve, public)))
    seal = x509.Entity(issuer, key, unsigned(issuer, x509.name("seal"), x509.key_info(key)), 1)
    envelopes = {"a.jws": sealed(seal)}
    files = {f"chain/{digest(each)}.der": each for each in others}
    return made_by_anybody(made, {**judged(envelopes), **files}, spoken(envelopes))


def unsigned(issuer: bytes, subject: bytes, key_info: bytes) -> bytes:
    """A certificate with two numbers where the signature by SM2 should be."""
    scheme = x509.seq(x509.oid("1.2.156.10197.1.501"))
    validity = x509.seq(x509.utc(x509.AT - x509.DAY), x509.utc(x509.AT + x509.DAY))
    version = x509.encode(0xA0, x509.integer(2))
    body = x509.seq(version, x509.integer(1), scheme, issuer, validity, subject, key_info)
    return x509.seq(
        body, scheme, x509.encode(3, b"\0" + x509.seq(x509.integer((1 << 255) - 5), x509.integer((1 << 255) - 7)))
    )


def stating(made: Made) -> bytes:
    event = {"event_id": "e", "destination": "d", "sequence": 1, "state": "pending"}
    events = [{**event, "event_id": f"e{n}"} for n in range(1_000)]
    return made_by_anybody(made, {"deliveries.json": json.dumps({"v": 1, "events": events}).encode()})


def writing(made: Made) -> bytes:
    """JSON takes twenty times its size in memory once it is read."""
    return made_by_anybody(made, {"application.json": b'{"a": [' + b"[]," * (3 << 20) + b"[]]}"})


def accounting(made: Made) -> bytes:
    return made_by_anybody(made, {f"record/a-{n}.json": b'{"a":"%s"}' % (b"x" * (6 << 20)) for n in range(8)})


HOSTILE: dict[str, tuple[Callable[[Made], bytes], str]] = {
    "documents that unpack to gigabytes": (unpacking, "bytes"),
    "lists without end": (listing, "elements"),
    "certificates without end": (certifying, "certificates"),
    "signatures that take long": (computing, "signatures"),
    "statements without end": (stating, "statements"),
    "an account that fills the memory": (writing, "bytes of one JSON document"),
    "many large accounts": (accounting, "bytes of JSON"),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_bundle_is_too_much(made: Made, case: str) -> None:
    hostile, what = HOSTILE[case]
    root = alone.certificates.Certificate.read(AUTHORITY.certificate)
    report = verify_evidence(hostile(made), without(made.anchors, roots=(root,)), FEW)
    assert report.findings[-1].code == "much", told(report)
    assert report.findings[-1].facts["what"] == what
    assert report.exit_code == 2 or codes(report, WRONG)
    assert len(report.findings) <= FEW["statements"] + 1


@pytest.mark.timeout(300)
def test_it_ends_in_bounded_time_and_memory(made: Made, tmp_path: Path) -> None:
    """With the limits that everybody has, as a program of its own: 256 documents of 60 MiB each, in 1 GiB."""
    path = tmp_path / "bundle.zip"
    documents = bombs(256)
    path.write_bytes(made_by_anybody(made, judged(documents), spoken(documents)))
    assert path.stat().st_size < 20 << 20

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    folder = Path(alone.__file__).parent
    ended = subprocess.run(
        [sys.executable, str(folder), str(path), "--anchors", str(made.directory), "--lang", "en"],
        capture_output=True,
        preexec_fn=little_memory,
        check=False,
        text=True,
    )
    assert ended.returncode == 2, ended.stdout[-2000:] + ended.stderr
    assert "more than is looked at (bytes: " in ended.stdout
    assert "nothing further was checked" in ended.stdout


def test_an_honest_bundle_takes_little(made: Made) -> None:
    report = verify_evidence(made.whole, made.anchors, {name: limit // 20 for name, limit in LIMITS.items()})
    assert report.exit_code == 0, told(report)
    nothing = verify_evidence(made.whole, made.anchors, {**LIMITS, "statements": 3})
    assert (nothing.exit_code, nothing.findings[-1].code) == (2, "much")
    assert codes(nothing, PROVED)
    assert codes(nothing, UNKNOWN) == {"much"}


def test_what_is_larger_than_a_bundle_is_not_read() -> None:
    with pytest.raises(Broken, match="larger"):
        read_archive(bytes((256 << 20) + 1))


def test_keys_that_make_verifying_slow_are_not_used() -> None:
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    slow = rsa.RSAPublicNumbers((1 << 2000) + 1, numbers.n).public_key()
    for key, taken in ((private.public_key(), True), (slow, False)):
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if taken:
            assert alone.certificates.key_of_spki(spki) == key
        else:
            with pytest.raises(alone.errors.NotProved):
                alone.certificates.key_of_spki(spki)


class TestWork:
    def test_nothing_is_counted_outside(self) -> None:
        spend("signatures", 1 << 40)

    def test_what_is_spent_is_added_up(self) -> None:
        with bounded({"a": 3}):
            spend("a", 2)
            spend("a")
            with pytest.raises(alone.errors.TooMuch) as much:
                spend("a")
        assert (much.value.what, much.value.limit) == ("a", 3)
        with bounded({"a": 3}):
            spend("a", 3)

    def test_what_is_known_is_not_worked_out_again(self) -> None:
        asked: list[int] = []

        def refuse() -> None:
            asked.append(1)
            raise alone.errors.Refused("no")

        with bounded({}):
            for _ in range(3):
                with pytest.raises(alone.errors.Refused):
                    once("refused", refuse)
                assert once("answered", lambda: asked.append(2)) is None
        assert asked == [1, 2]
