"""Time stamps of checkpoints: what an authority that DIR names saw, and when. Tokens of our own, and of OpenSSL."""

import base64
import json
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode
from gateway.evidence import verify_evidence as alone
from gateway.evidence.verify_evidence import PROVED, STATED, UNKNOWN, WRONG, Anchors, read_archive, verify_evidence
from gateway.evidence.verify_evidence.certificates import Certificate, key_of_spki
from gateway.evidence.verify_evidence.errors import NotProved, Refused
from gateway.evidence.verify_evidence.time_stamps import TimeStamp
from gateway.records.ports import TimeStamp as StoredStamp
from tests.support import x509_writer as x509
from tests.support.databases import Databases
from tests.support.evidence import EvidenceRoom, anew, evidence_room
from tests.support.licences import an_applicant
from tests.support.ofd_cms import time_stamp
from tests.support.ofd_pki import Identity, Pki, issue
from tests.support.ofd_writer import extension
from tests.support.require import skip_or_fail
from tests.unit.evidence.test_bundles import codes, told

TEXT = b"gateway.example/record\n1\nAAAA\n"
PURPOSE = extension("551d25", encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2b06010505070308"))))
HOUR = timedelta(hours=1)
STRIDE = 4
"""Every fourth byte, another one in each run."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    if sm2.self_test() is None:
        skip_or_fail("no library here speaks SM2")
    return Pki()


@pytest.fixture(scope="module")
def authority(pki: Pki) -> Identity:
    return issue("时间戳机构", pki.ca, issuer_name="测试签发机构", extra_extension=PURPOSE)


@pytest.fixture
async def room(databases: Databases) -> AsyncIterator[EvidenceRoom]:
    async with evidence_room(databases.sqlite()) as made:
        await made.live()
        yield made


async def given(room: EvidenceRoom) -> bytes:
    return (await room.service.for_applicant(room.application_id, an_applicant(), redacted=False)).archive


async def stamped(room: EvidenceRoom, authority: Identity, at: datetime, text: bytes | None = None) -> bytes:
    """The latest checkpoint, as the gateway has it stamped and keeps it."""

    def work(tx: Any) -> bytes:
        latest = tx.super_log.latest_checkpoint()
        token = time_stamp(authority, text or latest.note.text.encode(), at)
        tx.super_log.add_time_stamp(latest.size, StoredStamp("tsa.example", at, token))
        return token

    token: bytes = await room.room.transactions.write(work)
    return token


def anchors(room: EvidenceRoom, pki: Pki | None, directory: Path) -> Anchors:
    room.write_anchors(directory)
    if pki is not None:
        (directory / "time-stamps").mkdir()
        for name, each in (("root", pki.root), ("ca", pki.ca)):
            pem = base64.encodebytes(each.certificate)
            lines = b"-----BEGIN CERTIFICATE-----\n" + pem + b"-----END CERTIFICATE-----\n"
            (directory / "time-stamps" / f"{name}.pem").write_bytes(lines)
    return Anchors.read(directory)


class TestInABundle:
    async def test_who_stamped_it_and_when(
        self, room: EvidenceRoom, pki: Pki, authority: Identity, tmp_path: Path
    ) -> None:
        at = room.room.clock() + HOUR
        await stamped(room, authority, at)
        room.room.clock.advance(hours=2)
        bundle = await given(room)
        report = verify_evidence(bundle, anchors(room, pki, tmp_path / "with"))
        assert report.exit_code == 0, told(report)
        (stamp,) = [each for each in report.findings if each.code == "stamp"]
        assert (stamp.mark, stamp.facts["who"], stamp.facts["at"]) == (PROVED, "时间戳机构", alone.reading.told(at))
        report = verify_evidence(bundle, anchors(room, None, tmp_path / "without"))
        assert report.exit_code == 0, told(report)
        assert "stamp.unjudged" in codes(report, STATED)

    async def test_one_that_was_stamped_beside_those_that_entries_are_proved_in(
        self, room: EvidenceRoom, pki: Pki, authority: Identity, tmp_path: Path
    ) -> None:
        """Authorities are asked seldom: most entries are proved in a checkpoint that none stamped."""
        await room.noted()
        await room.anchored(cosigned=False)
        await stamped(room, authority, room.room.clock())
        await room.noted()
        await room.anchored()
        bundle = await given(room)
        assert json.loads(read_archive(bundle)["checkpoints.json"])["checkpoints"]
        report = verify_evidence(bundle, anchors(room, pki, tmp_path / "dir"))
        assert report.exit_code == 0, told(report)
        assert {"stamp", "record.grown"} <= codes(report, PROVED)
        trusting = anchors(room, pki, tmp_path / "again")
        report = verify_evidence(anew(bundle, {"consistency.json": b"{}"}, room.keys.answer), trusting)
        assert "record.apart" in codes(report, UNKNOWN), told(report)

    async def test_no_entry_is_younger_than_the_stamp_over_it(
        self, room: EvidenceRoom, pki: Pki, authority: Identity, tmp_path: Path
    ) -> None:
        await stamped(room, authority, room.room.clock() - HOUR)
        report = verify_evidence(await given(room), anchors(room, pki, tmp_path / "dir"))
        contradicted = [each.text("en") for each in report.findings if each.code == "record.time"]
        assert contradicted, told(report)
        assert all("时间戳机构" in each for each in contradicted)
        assert report.exit_code == 1

    @pytest.mark.parametrize("case", ["for something else", "flipped", "not base64", "a list"])
    async def test_one_that_does_not_hold(
        self, room: EvidenceRoom, pki: Pki, authority: Identity, tmp_path: Path, case: str
    ) -> None:
        token = await stamped(room, authority, room.room.clock(), b"else" if case == "for something else" else None)
        bundle = await given(room)
        said = json.loads(read_archive(bundle)["checkpoints.json"])
        tokens = said["checkpoints"][0]["time_stamps"]
        if case == "flipped":
            tokens[0]["token"] = base64.b64encode(token[:-1] + bytes([token[-1] ^ 1])).decode()
        elif case != "for something else":
            tokens[0] = {"token": "%"} if case == "not base64" else []
        changed = anew(bundle, {"checkpoints.json": json.dumps(said).encode()}, room.keys.answer)
        report = verify_evidence(changed, anchors(room, pki, tmp_path / "dir"))
        assert report.exit_code == 1, told(report)
        assert codes(report, WRONG) <= {"stamp.wrong", "file.format"}
        assert "fault" not in codes(report, WRONG)

    async def test_who_asks_no_authority_has_none(self, room: EvidenceRoom) -> None:
        assert "checkpoints.json" not in read_archive(await given(room))


class TestOneToken:
    def test_under_an_anchor(self, pki: Pki, authority: Identity) -> None:
        at = datetime(2026, 6, 1, tzinfo=UTC)
        stamp = TimeStamp.read(time_stamp(authority, TEXT, at), TEXT)
        assert stamp.at == at
        stamp.require_authority([Certificate.read(pki.ca.certificate)])
        stamp.require_authority([Certificate.read(pki.root.certificate), Certificate.read(pki.ca.certificate)])
        with pytest.raises(NotProved):
            stamp.require_authority([Certificate.read(pki.root.certificate)])

    @pytest.mark.parametrize("purpose", [b"", extension("551d25", encode(Tag.SEQUENCE, encode(6, b"\x55\x1d\x25\0")))])
    def test_by_somebody_who_stamps_no_time(self, pki: Pki, purpose: bytes) -> None:
        other = issue("别的机构", pki.ca, issuer_name="测试签发机构", extra_extension=purpose)
        stamp = TimeStamp.read(time_stamp(other, TEXT), TEXT)
        with pytest.raises(Refused):
            stamp.require_authority([Certificate.read(pki.ca.certificate)])

    def test_outside_of_its_certificate_s_time(self, pki: Pki) -> None:
        until = datetime(2026, 1, 1, tzinfo=UTC)
        former = issue("前机构", pki.ca, issuer_name="测试签发机构", extra_extension=PURPOSE, not_after=until)
        stamp = TimeStamp.read(time_stamp(former, TEXT), TEXT)
        with pytest.raises(Refused):
            stamp.require_authority([Certificate.read(pki.ca.certificate)])

    def test_every_byte_of_it_counts_or_says_nothing(self, authority: Identity) -> None:
        """Some bytes are not under the signature (versions, a list of digests); none of them changes what is said."""
        token = time_stamp(authority, TEXT)
        good = TimeStamp.read(token, TEXT)
        for at in range(secrets.randbelow(STRIDE), len(token), STRIDE):
            flipped = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
            try:
                found = TimeStamp.read(flipped, TEXT)
            except (Refused, NotProved):
                continue
            assert (found.at, key_of_spki(found.signer.spki)) == (good.at, key_of_spki(good.signer.spki)), at

    def test_for_something_else(self, authority: Identity) -> None:
        for wrong in (time_stamp(authority, TEXT + b"."), time_stamp(authority, TEXT, spoil=True)):
            with pytest.raises(Refused):
                TimeStamp.read(wrong, TEXT)
        with pytest.raises(NotProved):
            TimeStamp.read(time_stamp(authority, TEXT, certificates=False), TEXT)


KEYS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_a_token_of_openssl(tmp_path: Path, kind: str, digest: str) -> None:
    """An implementation that shares nothing with ours: fractions of seconds, signing certificates, accuracy."""
    program = shutil.which("openssl") or skip_or_fail("there is no openssl")
    now = datetime.now(UTC)
    ca = x509.root("时间戳根", not_before=now - x509.DAY, not_after=now + x509.DAY)
    purpose = x509.extension("2.5.29.37", x509.seq(x509.oid("1.3.6.1.5.5.7.3.8")), critical=True)
    own = {"not_before": now - x509.DAY, "not_after": now + x509.DAY, "key": KEYS[kind]()}
    signer = ca.issue("时间戳机构", purpose, x509.SEAL, **own)
    key = own["key"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(signer.certificate)
    files = {"key.pem": key, "tsa.pem": certificate + b"-----END CERTIFICATE-----\n", "text": TEXT, "serial": b"01\n"}
    settings = {
        "serial": tmp_path / "serial",
        "signer_digest": digest,
        "default_policy": "1.2.3.4",
        "digests": "sha256, sha384, sha512",
        "accuracy": "secs:1, millisecs:500",
        "clock_precision_digits": 3,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    files["tsa.cnf"] = f"[tsa]\ndefault_tsa = own\n[own]\n{lines}".encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    query = ("ts", "-query", "-data", "text", f"-{digest}", "-cert", "-out", "query")
    reply = ("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-inkey", "key.pem", "-signer", "tsa.pem")
    for arguments in (query, (*reply, "-token_out", "-out", "token")):
        subprocess.run([program, *arguments], cwd=tmp_path, check=True, capture_output=True)
    stamp = TimeStamp.read((tmp_path / "token").read_bytes(), TEXT)
    assert abs(stamp.at - now) < timedelta(minutes=1)
    stamp.require_authority([Certificate.read(ca.certificate)])
    with pytest.raises(NotProved):
        replace(stamp).require_authority([Certificate.read(x509.root("别的根").certificate)])
    with pytest.raises(Refused):
        TimeStamp.read((tmp_path / "token").read_bytes(), TEXT + b".")
