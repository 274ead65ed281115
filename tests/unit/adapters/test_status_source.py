import httpx
import pytest
import respx

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.status_source import HttpStatusSource
from adapters.trust_directory import TrustDirectoryError, read_trust_directory
from gateway.certificates.trust import Entitlement
from gateway.errors import PartnerUnavailable
from mock_services.pki import ProvincialPki, spki_digest
from tests.support.ecertificates import AT, BASE_URL, LIST_URI, Province

CRL_URI = f"{BASE_URL}/pki/crl/root.crl"


@pytest.fixture
async def source():
    http = HttpxClient(HttpLimits(attempts=1))
    yield HttpStatusSource(http, [BASE_URL])
    await http.aclose()


@respx.mock
async def test_lists_come_as_they_are(source):
    token = Province().status_list()
    respx.get(LIST_URI).respond(200, content=token + b"\n", headers={"content-type": "application/statuslist+jwt"})
    respx.get(CRL_URI).respond(200, content=b"\x30\x00\n", headers={"content-type": "application/pkix-crl"})
    assert await source.fetch_status_list(LIST_URI) == token
    assert await source.fetch_crl(CRL_URI) == b"\x30\x00\n"


@respx.mock
async def test_a_question_is_posted_to_a_responder_and_its_answer_comes_as_it_is(source):
    address = f"{BASE_URL}/ocsp"
    route = respx.post(address).respond(200, content=b"answer", headers={"content-type": "application/ocsp-response"})
    assert await source.fetch_ocsp(address, b"question") == b"answer"
    request = route.calls.last.request
    assert (request.content, request.headers["content-type"]) == (b"question", "application/ocsp-request")
    respx.post(address).respond(200, content=b"answer", headers={"content-type": "text/html"})
    with pytest.raises(PartnerUnavailable):
        await source.fetch_ocsp(address, b"question")
    with pytest.raises(PartnerUnavailable) as refused:
        await source.fetch_ocsp("https://elsewhere.example/ocsp", b"question")
    assert refused.value.check == "status.address_not_allowed"


@pytest.mark.parametrize(
    "uri",
    [
        "https://platform.example.evil.example/status/1",
        "https://platform.example@evil.example/status/1",
        "http://platform.example/status/1",
        "https://platform.example:8443/status/1",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
@respx.mock
async def test_an_address_that_nobody_named_is_not_fetched(source, uri):
    with pytest.raises(PartnerUnavailable) as refused:
        await source.fetch_status_list(uri)
    assert refused.value.check == "status.address_not_allowed"


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(404),
        httpx.Response(200, content=b"x", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b"", headers={"content-type": "application/statuslist+jwt"}),
    ],
)
@respx.mock
async def test_anything_else_than_a_list_is_an_outage(source, reply):
    respx.get(LIST_URI).mock(return_value=reply)
    with pytest.raises(PartnerUnavailable) as refused:
        await source.fetch_status_list(LIST_URI)
    assert refused.value.check == "status.malformed"


def test_the_trust_directory_that_the_mock_writes_is_read(tmp_path):
    pki = ProvincialPki.build(BASE_URL)
    pki.write_trust(tmp_path)
    trust = read_trust_directory(tmp_path)
    assert len(trust.anchors) == 2  # the province's root and its SM2 root
    code = next(issuer.authority_code for issuer in trust.issuers if "business_licence" in issuer.kinds)
    own, other = (spki_digest(pki.departments[each].certificate) for each in ("market-supervision", "construction"))
    assert trust.entitlement(code, "business_licence", AT.date(), own, "440106") is Entitlement.PINNED_CA
    assert trust.entitlement(code, "business_licence", AT.date(), other, "440106") is Entitlement.OTHER_CA
    assert trust.entitlement(code, "business_licence", AT.date(), own, "320106") is Entitlement.NONE
    assert trust.entitlement(code, "resident_id", AT.date(), own) is Entitlement.NONE


@pytest.mark.parametrize("damage", ["no anchors", "bad anchor", "no issuers", "bad issuers", "bad entry"])
def test_a_damaged_trust_directory_is_refused_with_the_file_named(tmp_path, damage):
    ProvincialPki.build(BASE_URL).write_trust(tmp_path)
    anchor, issuers = tmp_path / "anchors" / "root.pem", tmp_path / "issuers.json"
    match damage:
        case "no anchors":
            anchor.unlink()
            anchor.with_name("sm2-root.pem").unlink()
        case "bad anchor":
            anchor.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        case "no issuers":
            issuers.unlink()
        case "bad issuers":
            issuers.write_text("{}")
        case "bad entry":
            issuers.write_text('[{"authority_code": "x", "name": "y", "kinds": [], "regions": ["44"]}]')
    with pytest.raises(TrustDirectoryError, match="anchors" if "anchor" in damage else "issuers"):
        read_trust_directory(tmp_path)
