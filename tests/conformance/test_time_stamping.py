"""Time stamps of checkpoints, by a small authority of our own: what it must answer, and when it is asked."""

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.time_stamping import AnchorsUnreadable, HttpTimeStamps, flaw_of_token, query, read_anchors
from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer, parse
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.errors import PartnerUnavailable
from gateway.records.audit import Outside, audit
from gateway.records.service import RecordProofs
from gateway.records.stamping import Stamping
from tests.support.anchoring import anchoring, entry, recorded
from tests.support.ofd_cms import time_stamp
from tests.support.ofd_pki import Identity, Pki, issue
from tests.support.ofd_writer import SIGNED_AT, extension
from tests.support.storage import SEAL_KEYS, SetClock, opened
from tests.support.tiny_server import Answer, Asked, TinyServer, tiny_server

REPLY = "application/timestamp-reply"
TEXT = b"gateway.example/record\n1\nAAAA\n"
PURPOSE = extension("551d25", encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2b06010505070308"))))


@dataclass
class Authority:
    server: TinyServer
    stamps: HttpTimeStamps
    signer: Identity
    anchors: list[bytes]

    def answer(self, asked: Asked, signer: Identity | None = None, status: int = 0) -> Answer:
        imprint = parse(asked.body).children()[1].raw
        token = time_stamp(signer or self.signer, b"", imprint=imprint)
        granted = encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, encode_integer(status)), token)
        return Answer(200, granted, REPLY)


@pytest.fixture(scope="module")
def server() -> Iterator[TinyServer]:
    with tiny_server(lambda asked: Answer()) as running:
        yield running


@pytest.fixture
async def authority(server: TinyServer) -> AsyncIterator[Authority]:
    try:
        sm2.library()
    except AlgorithmUnavailable:
        pytest.skip("no library here speaks SM2")
    pki = Pki()
    signer = issue("时间戳机构", pki.ca, issuer_name="测试签发机构", extra_extension=PURPOSE)
    anchors = [pki.root.certificate, pki.ca.certificate]
    http = HttpxClient(HttpLimits(attempts=1))
    made = Authority(server, HttpTimeStamps(http, server.url, anchors, SetClock(SIGNED_AT)), signer, anchors)
    server.asked.clear()
    server.respond = made.answer
    yield made
    await http.aclose()


async def test_a_token_under_an_anchor_is_taken(authority: Authority) -> None:
    stamp = await authority.stamps.stamp(TEXT)
    assert (stamp.authority, stamp.stamped_at) == (authority.stamps.name, SIGNED_AT)
    assert flaw_of_token(stamp.token, TEXT) is None
    assert flaw_of_token(stamp.token, TEXT + b".") == "is for something else"
    assert flaw_of_token(stamp.token[:-1], TEXT) == "cannot be read"
    (asked,) = authority.server.asked
    assert (asked.headers["content-type"], asked.body) == ("application/timestamp-query", query(TEXT))
    assert sha256(TEXT).digest() in asked.body


async def test_an_answer_that_proves_nothing_is_not_taken(authority: Authority) -> None:
    stranger = issue("别处时间戳机构", extra_extension=PURPOSE, issuer_name="测试签发机构")
    other = time_stamp(authority.signer, b"", imprint=parse(query(b"other")).children()[1].raw, answered=True)
    good = authority.answer(Asked("POST", "/", {}, query(TEXT))).body
    answers = {
        "time_stamp.not_proved": [
            authority.answer(Asked("POST", "/", {}, query(TEXT)), signer=stranger),
            Answer(200, other, REPLY),
        ],
        "time_stamp.malformed": [
            Answer(200, b"", REPLY),
            Answer(200, good[:-1], REPLY),
            Answer(200, good + b"\0", REPLY),
            authority.answer(Asked("POST", "/", {}, query(TEXT)), status=2),
            Answer(200, encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, encode_integer(2))), REPLY),
            Answer(200, parse(good).children()[1].raw, REPLY),
        ],
        "time_stamp.refused": [Answer(200, good, "text/html"), Answer(403, good, REPLY)],
    }
    for check, each in answers.items():
        for answer in each:
            authority.server.respond = lambda asked, answer=answer: answer  # type: ignore[misc]
            with pytest.raises(PartnerUnavailable) as refused:
                await authority.stamps.stamp(TEXT)
            assert refused.value.check == check


async def test_checkpoints_are_stamped_now_and_then_and_a_proof_brings_it(
    database_url: str, authority: Authority
) -> None:
    clock = SetClock(SIGNED_AT)
    with opened(database_url, clock) as transactions:
        stamping = Stamping(transactions, [authority.stamps], clock, timedelta(hours=1))
        (record_id, _) = await recorded(transactions, entry(1), entry(2))
        assert not await stamping.stamp_once(authority.stamps), "there is no checkpoint"
        assert await transactions.read(lambda tx: tx.super_log.stamped_checkpoint(1)) is None
        stamped = []
        for minutes, answers in ((0, False), (0, True), (30, True), (31, True)):
            clock.advance(minutes=minutes)
            await recorded(transactions, entry(2))
            latest = await anchoring(transactions, clock).anchor_once()
            assert latest is not None
            stamping.signed(latest)
            authority.server.respond = authority.answer if answers else lambda asked: Answer(500)
            stamped.append(await stamping.stamp_once(authority.stamps))
        assert stamped == [False, True, False, True]
        sizes = [await transactions.read(lambda tx, at=at: tx.super_log.stamped_checkpoint(at)) for at in range(6)]  # type: ignore[misc]
        assert [each.size for each in sizes if each] == [2, 2, 2, 4, 4, 4], (
            "the oldest that is large enough, or the newest"
        )
        _, stamps = await RecordProofs(transactions, 1).about("app_1", record_id)
        assert [each.authority for each in stamps] == [authority.stamps.name]
        outside = Outside(stamp_flaw=flaw_of_token)
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS, outside=outside))
        assert (report.broken, report.above.time_stamps) == ((), 2)
        await transactions.write(lambda tx: tx.super_log.add_time_stamp(1, stamps[0]))
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS, outside=outside))
        assert [each.where for each in report.broken] == ["super-1"]


def test_anchors_are_certificates_in_pem(tmp_path: Path) -> None:
    path = tmp_path / "tsa.pem"
    for content in (b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        path.write_bytes(content)
        with pytest.raises(AnchorsUnreadable):
            read_anchors(path)
    with pytest.raises(AnchorsUnreadable):
        read_anchors(tmp_path / "none.pem")
    certificate = Pki().root.certificate
    body = base64.encodebytes(certificate)
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n")
    assert read_anchors(path) == (certificate,)
