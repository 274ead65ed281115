"""A signed contract in a bundle: document, the gateway's statement and the assertion that was made for it."""

import asyncio
import json
import random
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.certificates.registry import KindRegistry
from gateway.evidence.verify_evidence import PROVED, STATED, UNKNOWN, WITHHELD, WRONG, Anchors, read_archive
from gateway.evidence.verify_evidence import verify_evidence as verify
from gateway.retention.policies import policies
from gateway.retention.service import RetentionService
from schemas.partner_api import EndingRequest
from tests.support.databases import Databases
from tests.support.evidence import anew, contents, evidence_room
from tests.support.evidence_contracts import DECLINED_FOR, WORDS, Shop
from tests.support.partners import es256_key
from tests.support.raw_database import Needles
from tests.support.retention import PERIODS
from tests.support.storage import NOON
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, manifest_of, told
from tests.unit.evidence.test_tampering import flipped

pytestmark = pytest.mark.timeout(300)
OLD = Path(__file__).parents[2] / "vectors" / "evidence" / "v1"
EARLIER = int(NOON.timestamp()) - 3600
OTHER_ENTERPRISE = {"name": "另一公司", "unified_social_credit_code": "91440101MA5D00007U"}


async def a_shop(databases: Databases, directory: Path, **claimed: object) -> Made:
    async with evidence_room(databases.sqlite()) as room:
        shop = Shop(room, **claimed)
        await shop.live()
        room.write_anchors(directory)
        whole = await room.given()
        await room.anchored()
        redacted = (await room.service.for_operator(room.application_id, "cli:test", redacted=True)).archive
        await room.anchored()
        for_utility = (await room.service.for_utility(room.application_id, "csg-guangzhou")).archive
        anchors = Anchors.read(directory)
        return Made(whole, redacted, for_utility, directory, anchors, room.keys, room.application_id, b"")


@pytest.fixture(scope="module")
def shop(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return asyncio.run(a_shop(databases, tmp_path_factory.mktemp("shop")))


def of_contract(bundle: bytes) -> list[str]:
    return [name for name in read_archive(bundle) if name.startswith("contracts/")]


def document_of(bundle: bytes) -> bytes:
    (name,) = [each for each in of_contract(bundle) if each.endswith(".txt")]
    return read_archive(bundle)[name]


def lines_of(account: bytes) -> object:
    """What an account says of contracts; None where it cannot be read."""
    try:
        return json.loads(account).get("contracts")
    except ValueError:
        return None


def test_everything_of_it_is_proved(shop: Made) -> None:
    report = verify(shop.whole, shop.anchors)
    assert report.exit_code == 0, told(report)
    found = codes(report, PROVED)
    assert {"contract", "contract.document", "contract.assertion", "contract.said"} <= found
    assert codes(report, UNKNOWN, WRONG, WITHHELD) == set()
    assert len(of_contract(shop.whole)) == 3
    assert document_of(shop.whole).decode() == f"{WORDS}，第 2 版\n"
    said = [each.text("en") for each in report.findings if each.code == "contract.said"]
    assert [each.split()[7] for each in said] == ["offered", "declined", "offered"]
    assert manifest_of(shop.whole)["v"] == 2


@pytest.mark.parametrize("form", ["redacted", "for_utility"])
def test_a_redacted_one_names_nobody_and_lets_nobody_try_words(shop: Made, form: str) -> None:
    bundle = getattr(shop, form)
    report = verify(bundle, shop.anchors)
    assert report.exit_code == 0, told(report)
    assert "contract.absent" in codes(report, WITHHELD)
    left = {each["what"] for each in manifest_of(bundle)["left_out"]}
    assert {"contract_document", "contract_statement", "contract_assertion"} <= left
    assert of_contract(bundle) == []
    digest = sha256(document_of(shop.whole)).hexdigest()
    needles = Needles({WORDS, DECLINED_FOR, digest})
    assert {found for content in contents(shop.whole) for found in needles.found_in(content)} >= {
        WORDS.encode(),
        digest.encode(),
    }
    assert {found for content in contents(bundle) for found in needles.found_in(content)} == set()


def test_no_byte_of_it_can_be_changed(shop: Made) -> None:
    """Each byte of the file by a stride; and every byte of what is about the contract."""
    offset = random.SystemRandom().randrange(31)
    for at in range(offset, len(shop.whole), 31):
        assert verify(flipped(shop.whole, at, at % 8), shop.anchors).exit_code == 1, at
    for name in ("contracts.json", *of_contract(shop.whole)):
        body = read_archive(shop.whole)[name]
        start = shop.whole.index(body)
        for at in range(start, start + len(body)):
            assert verify(flipped(shop.whole, at, at % 8), shop.anchors).exit_code == 1, (name, at)


def test_a_gateway_that_signs_what_it_changed_is_found_out(shop: Made) -> None:
    """The document, the statement and the assertion by any byte; the account where it says anything else."""
    chance = random.Random(3)
    for name in ("contracts.json", *of_contract(shop.whole)):
        body = read_archive(shop.whole)[name]
        for at in range(0, len(body), 1 if name.endswith(".json") else 7):
            changed = flipped(body, at, chance.randrange(8))
            if name.endswith(".json") and lines_of(changed) == lines_of(body):
                continue
            report = verify(anew(shop.whole, {name: changed}, shop.keys.answer), shop.anchors)
            assert report.exit_code in (1, 2), (name, at, told(report))
            assert "fault" not in codes(report, WRONG), (name, at)


def test_under_another_name_a_changed_document_is_still_another(shop: Made) -> None:
    (name,) = [each for each in of_contract(shop.whole) if each.endswith(".txt")]
    other = document_of(shop.whole).replace("第 2 版".encode(), "第 3 版".encode())
    digest = sha256(other).hexdigest()
    account = json.loads(read_archive(shop.whole)["contracts.json"])
    account["contracts"][0]["sha256"] = digest
    changes = {name: None, f"contracts/{digest}.txt": other, "contracts.json": json.dumps(account).encode()}
    report = verify(anew(shop.whole, changes, shop.keys.answer), shop.anchors)
    assert "contract.wrong" in codes(report, WRONG), told(report)


def test_what_is_left_out_must_be_said(shop: Made) -> None:
    for name in (*of_contract(shop.whole), "contracts.json"):
        report = verify(anew(shop.whole, {name: None}, shop.keys.answer), shop.anchors)
        assert (report.exit_code, codes(report, WRONG)) == (2, set()), told(report)
        assert codes(report, UNKNOWN) & {"contract.absent", "file.absent"}, told(report)
    empty = b'{"v": 1, "contracts": []}'
    report = verify(anew(shop.whole, {"contracts.json": empty}, shop.keys.answer), shop.anchors)
    assert "contract.absent" in codes(report, UNKNOWN), told(report)


def test_accounts_of_any_shape_never_end_in_a_traceback(shop: Made) -> None:
    (line,) = json.loads(read_archive(shop.whole)["contracts.json"])["contracts"]
    shapes: list[object] = [
        [],
        {},
        {"contracts": 1},
        {"contracts": [1]},
        {"contracts": [{}]},
        {"contracts": [line] * 2},
    ]
    for name in line:
        shapes += [{"contracts": [line | {name: value}]} for value in (None, [], {}, "zz", True, -1, "\ud800")]
    for shape in shapes:
        report = verify(
            anew(shop.whole, {"contracts.json": json.dumps(shape).encode()}, shop.keys.answer), shop.anchors
        )
        assert report.exit_code in (1, 2), (shape, told(report))
        assert "fault" not in codes(report, WRONG), shape


@pytest.mark.parametrize(
    ("claimed", "why"),
    [
        ({"enterprise": OTHER_ENTERPRISE}, "somebody else than the applicant"),
        ({"enterprise": None}, "somebody else than the applicant"),
        ({"nonce": f"secret.{'0' * 64}"}, "was not made for this document"),
        ({"nonce": "n"}, "was not made for this document"),
        ({"aud": "another-gateway"}, "somebody else than this gateway"),
        ({"iss": "https://other.example"}, "another issuer"),
        ({"amr": ["face"]}, "another way of verifying"),
        ({"iat": EARLIER, "exp": EARLIER + 300}, "not of the time of the signature"),
    ],
)
async def test_an_assertion_that_the_gateway_should_not_have_taken(
    databases: Databases, tmp_path: Path, claimed: dict[str, object], why: str
) -> None:
    made = await a_shop(databases, tmp_path / "dir", **claimed)
    report = verify(made.whole, made.anchors)
    assert (report.exit_code, codes(report, WRONG)) == (1, {"contract.wrong"}), told(report)
    assert [each for each in report.findings if why in each.text("en")], told(report)


async def test_an_assertion_that_nobody_signed(databases: Databases, tmp_path: Path) -> None:
    async with evidence_room(databases.sqlite()) as room:
        shop = Shop(room)
        shop.provider = es256_key("identity-1")
        await shop.live()
        room.write_anchors(tmp_path / "dir")
        report = verify(await room.given(), Anchors.read(tmp_path / "dir"))
    assert (report.exit_code, codes(report, WRONG)) == (1, {"contract.wrong"}), told(report)


async def test_what_retention_removed_is_not_proved_and_said_to_be_gone(databases: Databases, tmp_path: Path) -> None:
    async with evidence_room(databases.sqlite()) as room:
        await Shop(room).live()
        ending = EndingRequest(event_id="ev-end", reason="无法办理", claimed_at=room.room.clock.advance(minutes=1))
        await room.room.stages.end("csg-guangzhou", room.application_id, ending)
        room.write_anchors(tmp_path / "dir")
        room.room.clock.advance(days=PERIODS.parties_days + 1)
        table = policies(PERIODS, KindRegistry.discover().copies_kept())
        await RetentionService(room.room.transactions, table, room.room.clock).run()
        await room.anchored()
        bundle = await room.given()
    left = {each["what"]: each["why"] for each in manifest_of(bundle)["left_out"]}
    assert (left["contract_document"], left["contract_assertion"]) == ("retention", "retention")
    report = verify(bundle, Anchors.read(tmp_path / "dir"))
    assert report.exit_code == 2, told(report)
    gone = {each.facts["what"] for each in report.findings if each.code == "contract.absent"}
    assert gone == {"document", "assertion"}
    assert "contract" in codes(report, PROVED), "that it was signed stays proved"


class TestAnOlderBundle:
    """Made before bundles held contracts (v 1), with one signed: committed bytes, judged as they were."""

    whole = (OLD / "bundle.zip").read_bytes()

    def test_it_still_proves_what_it_did(self) -> None:
        report = verify(self.whole, Anchors.read(OLD / "dir"))
        assert report.exit_code == 0, told(report)
        assert manifest_of(self.whole)["v"] == 1
        assert "contract.before" in codes(report, STATED)
        assert not {"contract", "contract.document"} & codes(report, PROVED)

    def test_and_no_byte_of_it_can_be_changed(self) -> None:
        anchors = Anchors.read(OLD / "dir")
        for at in range(random.SystemRandom().randrange(97), len(self.whole), 97):
            assert verify(flipped(self.whole, at, at % 8), anchors).exit_code == 1, at


@pytest.mark.parametrize("version", [0, 3, True, "2", None])
def test_a_version_that_nobody_wrote_is_not_believed(shop: Made, version: object) -> None:
    report = verify(anew(shop.whole, {}, shop.keys.answer, v=version), shop.anchors)
    assert (report.exit_code, codes(report, WRONG)) == (1, {"manifest.wrong"}), told(report)


def test_a_newer_one_that_calls_itself_old_is_not_all_looked_at(shop: Made) -> None:
    """Its files are of a kind that version 1 does not have."""
    report = verify(anew(shop.whole, {}, shop.keys.answer, v=1), shop.anchors)
    assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"file.unused"}), told(report)
