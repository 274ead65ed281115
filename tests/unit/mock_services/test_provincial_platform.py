"""The share interface in process: every operation, every status, and certificates that are really signed."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from jwt.api_jws import PyJWS
from jwt.exceptions import InvalidSignatureError

from mock_services.pki import ProvincialPki
from mock_services.population import Persona, build_population
from mock_services.provincial_platform.app import PlatformOptions, create_app
from mock_services.provincial_platform.share import Access
from schemas.ecertificates import (
    HOLDER_IS_ENTERPRISE,
    HOLDER_IS_RESIDENT,
    TYPE_CODES,
    ECertificateMetadata,
    ECertificatePayload,
)
from schemas.share_interface import ShareStatus, VerifyResult, make_access_token
from schemas.status_lists import StatusListPayload, status_at, unpack_statuses

BASE = "http://platform.test"
ACCESS = Access("gateway", "a-secret")
USE_CAUSE = {
    "certificateSystemName": "办电",
    "certificateCopyCause": "用电报装",
    "certificateMatterName": "新装",
    "certificateEventCode": "1",
}
POPULATION = build_population(40, 20, seed=7)


@dataclass
class Desk:
    """A caller with a clock that it shares with the platform."""

    http: httpx.AsyncClient
    at: datetime = datetime(2026, 11, 20, 3, tzinfo=UTC)
    access: Access = ACCESS
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    async def ask(self, operation: str, **data: Any) -> dict[str, Any]:
        token = make_access_token(self.access.access_id, self.access.secret, self.at)
        head = {"accessId": self.access.access_id, "accessToken": token}
        body = json.dumps({"head": head, "data": {"useCause": USE_CAUSE, **data}})
        answer = await self.http.post(f"/share/{operation}", content=body, headers=self.headers)
        assert answer.status_code == 200
        return answer.json()

    async def status(self, operation: str, **data: Any) -> int:
        return (await self.ask(operation, **data))["head"]["status"]

    async def find(self, persona: Persona, kind: str = "business_licence") -> str:
        holder_type = HOLDER_IS_ENTERPRISE if persona.enterprise else HOLDER_IS_RESIDENT
        answer = await self.ask(
            "queryCertInfoByHolderCode",
            holderCode=persona.holder_code,
            holderTypeCode=holder_type,
            certTypeCode=TYPE_CODES[kind],
        )
        assert answer["head"]["status"] == 0, answer
        return answer["data"]["certs"][0]["certIdentifier"]

    async def fetch(self, slug: str, kind: str = "business_licence") -> str:
        identifier = await self.find(POPULATION.personas[slug], kind)
        answer = await self.ask("downloadFile", certIdentifier=identifier)
        return base64.b64decode(answer["data"]["fileData"]).decode()


@pytest.fixture(scope="module")
def pki() -> ProvincialPki:
    return ProvincialPki.build(BASE)


@pytest.fixture
async def desk(pki: ProvincialPki) -> AsyncIterator[Desk]:
    holder: list[Desk] = []
    app = create_app(PlatformOptions(BASE, ACCESS, pki, 40, 20, 7), clock=lambda: holder[0].at)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        holder.append(Desk(http))
        yield holder[0]


def opened(token: str) -> tuple[dict[str, Any], ECertificatePayload]:
    """Header and payload of an e-certificate, its signature checked with its own seal certificate."""
    jws = PyJWS()
    header = jws.get_unverified_header(token)
    leaf, issuer = (x509.load_der_x509_certificate(base64.b64decode(found)) for found in header["x5c"])
    leaf.verify_directly_issued_by(issuer)
    payload = jws.decode(token, leaf.public_key(), algorithms=[header["alg"]])
    return header, ECertificatePayload.model_validate_json(payload)


@pytest.mark.parametrize(
    ("slug", "kind", "algorithm"),
    [
        ("enterprise-small", "business_licence", "ES256"),
        ("resident-ordinary", "resident_id", "EdDSA"),
        ("enterprise-small", "property_certificate", "ES256"),
        ("enterprise-dual-source", "project_approval", "EdDSA"),
    ],
)
async def test_certificates_keep_to_the_profile(
    desk: Desk, pki: ProvincialPki, slug: str, kind: str, algorithm: str
) -> None:
    token = await desk.fetch(slug, kind)
    header, payload = opened(token)
    assert header.keys() == {"alg", "typ", "x5c"}
    assert (header["alg"], header["typ"]) == (algorithm, "ecert+jwt")
    department = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][1]))
    department.verify_directly_issued_by(pki.root.certificate)
    assert payload.jti == payload.certificate.identifier
    assert payload.iss == payload.certificate.issuing_authority_code
    assert payload.certificate.type_code == TYPE_CODES[kind]
    assert POPULATION.personas[slug].holder_code in [code for _, code in payload.certificate.holders()]
    assert await desk.fetch(slug, kind) == token


@pytest.mark.parametrize("hour", [16, 20, 1])
async def test_what_is_issued_today_was_issued_before_now_at_any_hour(desk: Desk, hour: int) -> None:
    """From 16:00 UTC on it is tomorrow in China, and before ten o'clock nobody there has begun to work."""
    desk.at = datetime(2026, 11, 20, hour, 5, tzinfo=UTC)
    before = await desk.find(POPULATION.personas["enterprise-small"])
    (await desk.http.post(f"/__admin/certificates/{before}/status", json={"action": "reissue"})).raise_for_status()
    _, payload = opened(await desk.fetch("enterprise-small"))
    assert payload.jti != before
    assert payload.iat <= desk.at.timestamp()
    assert payload.certificate.issued_on == (desk.at + timedelta(hours=8)).date()


async def test_qualifications_are_there(desk: Desk) -> None:
    assert {found.kind for found in POPULATION.qualifications} == {"design_qualification", "construction_qualification"}
    for found in POPULATION.qualifications:
        answer = await desk.ask(
            "queryCertInfoByHolderCode",
            holderCode=found.enterprise.code,
            holderTypeCode=HOLDER_IS_ENTERPRISE,
            certTypeCode=TYPE_CODES[found.kind],
        )
        assert answer["data"]["certs"][0]["certInfo"]["ZZBH"] == found.number


async def test_both_owners_find_the_shared_home(desk: Desk) -> None:
    persona = POPULATION.personas["resident-two-owners"]
    answer = await desk.ask("queryCertInfoByQRcode", qrcode=await desk.find(persona, "property_certificate"))
    holders = ECertificateMetadata.model_validate(answer["data"]["certs"][0]["certInfo"]).holders()
    assert len(holders) == 2
    for _, code in holders:
        status = await desk.status(
            "queryCertInfoByHolderCode",
            holderCode=code,
            holderTypeCode=HOLDER_IS_RESIDENT,
            certTypeCode=TYPE_CODES["property_certificate"],
        )
        assert status == ShareStatus.OK


class TestRefusals:
    async def test_statuses(self, desk: Desk) -> None:
        licence = TYPE_CODES["business_licence"]
        ask = desk.status
        by_holder = {"holderTypeCode": "001", "certTypeCode": licence}
        assert await ask("cancelCert") == ShareStatus.NOT_PROVIDED
        assert await ask("queryCertInfoByHolderCode", **by_holder) == ShareStatus.MISSING_HOLDER_CODE
        assert await ask("queryCertInfoByHolderCode", holderCode="1") == ShareStatus.MISSING_PARAMETER
        assert await ask("queryCertInfoByHolderCode", holderCode="1", **by_holder) == ShareStatus.NOT_FOUND
        assert await ask("queryCertInfo", certTypeCode=licence, holder="某") == ShareStatus.MISSING_CERT_NO
        assert await ask("queryCertInfo", certTypeCode=licence, certNo="1") == ShareStatus.MISSING_HOLDER
        assert await ask("downloadUrl", useCause={}) == ShareStatus.MISSING_PARAMETER

    async def test_a_home_that_nobody_registered(self, desk: Desk) -> None:
        persona = POPULATION.personas["resident-no-property"]
        status = await desk.status(
            "queryCertInfoByHolderCode",
            holderCode=persona.holder_code,
            holderTypeCode=HOLDER_IS_RESIDENT,
            certTypeCode=TYPE_CODES["property_certificate"],
        )
        assert status == ShareStatus.NOT_FOUND

    async def test_content_type(self, desk: Desk) -> None:
        desk.headers = {"content-type": "text/plain"}
        assert await desk.status("downloadUrl") == ShareStatus.BAD_CONTENT_TYPE

    @pytest.mark.parametrize("access", [Access("gateway", "wrong"), Access("other", "a-secret")])
    async def test_who_may_not_ask(self, desk: Desk, access: Access) -> None:
        desk.access = access
        assert await desk.status("downloadUrl") == ShareStatus.AUTHENTICATION_FAILED

    async def test_old_tokens(self, desk: Desk) -> None:
        token = make_access_token("gateway", "a-secret", desk.at)
        body = {"head": {"accessId": "gateway", "accessToken": token}, "data": {}}
        desk.at += timedelta(seconds=301)
        answer = await desk.http.post("/share/downloadUrl", json=body)
        assert answer.json()["head"]["status"] == ShareStatus.AUTHENTICATION_FAILED

    @pytest.mark.parametrize(("body", "status"), [(b"{", 99), (b"{}", 11), (b"[]", 11), (b'{"head": {}}', 11)])
    async def test_bodies_that_are_no_request(self, desk: Desk, body: bytes, status: int) -> None:
        answer = await desk.http.post("/share/downloadUrl", content=body, headers=desk.headers)
        assert answer.json()["head"]["status"] == status

    async def test_denied_kinds(self, desk: Desk) -> None:
        persona = POPULATION.personas["enterprise-small"]
        identifier = await desk.find(persona, "property_certificate")
        (await desk.http.post("/__admin/scenario/platform-no-permission")).raise_for_status()
        assert await desk.status("downloadUrl", certIdentifier=identifier) == ShareStatus.NO_PERMISSION
        assert await desk.status("downloadUrl", certIdentifier=await desk.find(persona)) == ShareStatus.OK


class TestOtherOperations:
    async def test_by_number_and_name_and_by_qr_code(self, desk: Desk) -> None:
        enterprise = POPULATION.personas["enterprise-small"].enterprise
        assert enterprise is not None
        answer = await desk.ask(
            "queryCertInfo",
            certTypeCode=TYPE_CODES["business_licence"],
            certNo=enterprise.code,
            holder=enterprise.name,
        )
        [identifier] = [found["certIdentifier"] for found in answer["data"]["certs"]]
        shown = await desk.ask("queryCertInfoByQRcode", qrcode=identifier)
        assert shown["data"]["certs"][0]["certInfo"]["CZZT"] == enterprise.name

    async def test_links_die_after_ten_minutes(self, desk: Desk) -> None:
        identifier = await desk.find(POPULATION.personas["enterprise-small"])
        links = [(await desk.ask("downloadUrl", certIdentifier=identifier))["data"] for _ in range(2)]
        assert datetime.fromisoformat(links[0]["expiresAt"]) == desk.at + timedelta(minutes=10)
        desk.at += timedelta(minutes=10, seconds=-1)
        assert (await desk.http.get(links[0]["url"])).status_code == 200
        assert (await desk.http.get(links[0]["url"])).status_code == 410
        desk.at += timedelta(seconds=1)
        assert (await desk.http.get(links[1]["url"])).status_code == 410

    async def test_verify_info(self, desk: Desk) -> None:
        persona = POPULATION.personas["enterprise-small"]
        identifier = await desk.find(persona)
        cases = [
            ({"CZZTDM": persona.holder_code}, VerifyResult.VALID),
            ({"CZZTDM": persona.holder_code, "CZZT": "别人"}, VerifyResult.PARTLY_WRONG),
            ({}, VerifyResult.NOT_FILLED),
        ]
        for claimed, result in cases:
            answer = await desk.ask("verifyCertInfo", certIdentifier=identifier, certInfo=claimed)
            assert answer["data"]["result"] == result
        unknown = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9"
        answer = await desk.ask("verifyCertInfo", certIdentifier=unknown, certInfo={"CZZT": "某"})
        assert answer["data"]["result"] == VerifyResult.NOT_FOUND

    async def test_verify_file(self, desk: Desk) -> None:
        token = await desk.fetch("enterprise-revoked")
        for text, result in ((token, VerifyResult.INVALID), (token + "A", VerifyResult.NOT_FOUND)):
            answer = await desk.ask("verifyFile", fileData=base64.b64encode(text.encode()).decode())
            assert answer["data"]["result"] == result
        assert await desk.status("verifyFile", fileData="***") == ShareStatus.OTHER


class TestTroubles:
    async def test_broken_signature(self, desk: Desk) -> None:
        with pytest.raises(InvalidSignatureError):
            opened(await desk.fetch("enterprise-broken-signature"))

    async def test_unknown_issuer(self, desk: Desk, pki: ProvincialPki) -> None:
        header, payload = opened(await desk.fetch("enterprise-unknown-issuer"))
        department = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][1]))
        with pytest.raises((InvalidSignature, ValueError)):
            department.verify_directly_issued_by(pki.root.certificate)
        assert payload.iss == opened(await desk.fetch("enterprise-small"))[1].iss

    async def test_wrong_holder(self, desk: Desk) -> None:
        _, payload = opened(await desk.fetch("enterprise-wrong-holder"))
        assert payload.certificate.holder_code != POPULATION.personas["enterprise-wrong-holder"].holder_code

    async def test_expired(self, desk: Desk) -> None:
        _, payload = opened(await desk.fetch("enterprise-expired"))
        assert payload.certificate.valid_until_on is not None
        assert payload.certificate.valid_until_on < desk.at.date()

    async def test_forged_on_demand(self, desk: Desk) -> None:
        fault = {"kind": "wrong_signature", "match": "/share/downloadFile"}
        await desk.http.put("/__admin/faults", json=[fault])
        with pytest.raises(InvalidSignatureError):
            opened(await desk.fetch("enterprise-small"))
        opened(await desk.fetch("enterprise-small"))


class TestStatus:
    async def read(self, desk: Desk, token: str) -> tuple[int, StatusListPayload]:
        """The status of an e-certificate by the list it names, with that list."""
        reference = opened(token)[1].status.status_list
        answer = await desk.http.get(reference.uri)
        assert answer.headers["content-type"] == "application/statuslist+jwt"
        jws = PyJWS()
        header = jws.get_unverified_header(answer.text)
        assert header["typ"] == "statuslist+jwt"
        leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
        claims = StatusListPayload.model_validate_json(
            jws.decode(answer.text, leaf.public_key(), algorithms=[header["alg"]])
        )
        assert claims.sub == reference.uri
        packed = unpack_statuses(claims.status_list.lst)
        return status_at(packed, claims.status_list.bits, reference.idx), claims

    @pytest.mark.parametrize(
        ("slug", "status"), [("enterprise-small", 0), ("enterprise-revoked", 1), ("enterprise-suspended", 2)]
    )
    async def test_personas(self, desk: Desk, slug: str, status: int) -> None:
        found, claims = await self.read(desk, await desk.fetch(slug))
        assert found == status
        assert claims.exp is not None
        assert claims.iat <= desk.at.timestamp() < claims.exp

    async def test_the_stale_list_has_run_out(self, desk: Desk) -> None:
        status, claims = await self.read(desk, await desk.fetch("enterprise-stale-status"))
        assert status == 0
        assert claims.exp is not None
        assert claims.exp < desk.at.timestamp()

    async def test_an_authority_changes_its_mind(self, desk: Desk) -> None:
        token = await desk.fetch("enterprise-small")
        identifier = opened(token)[1].jti

        async def order(action: str) -> None:
            body = {"action": action, "reason": "试验"}
            (await desk.http.post(f"/__admin/certificates/{identifier}/status", json=body)).raise_for_status()

        for action, status in (("suspend", 2), ("reinstate", 0), ("revoke", 1)):
            await order(action)
            assert (await self.read(desk, token))[0] == status
        remarks = (await desk.ask("getCertRemarkInfo", certIdentifier=identifier))["data"]["remarks"]
        assert [found["state"] for found in remarks] == [2, 0, 3]
        await order("reinstate")
        await order("expire")
        assert opened(await desk.fetch("enterprise-small"))[1].certificate.valid_until_on.year == 2025
        await order("reinstate")
        assert opened(await desk.fetch("enterprise-small"))[1].certificate.valid_until_on.year == 9999

    async def test_forged_list_on_demand(self, desk: Desk) -> None:
        token = await desk.fetch("enterprise-small")
        await desk.http.put("/__admin/faults", json=[{"kind": "wrong_signature", "match": "/status-lists"}])
        with pytest.raises(InvalidSignatureError):
            await self.read(desk, token)
        await self.read(desk, token)

    async def test_no_such_list(self, desk: Desk) -> None:
        assert (await desk.http.get("/status-lists/9")).status_code == 404


async def test_crls_and_seal_revocation(desk: Desk, pki: ProvincialPki) -> None:
    header, _ = opened(await desk.fetch("enterprise-small"))
    leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    point = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value

    async def crl(uri: str) -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl((await desk.http.get(uri)).content)

    assert (await crl(point)).get_revoked_certificate_by_serial_number(leaf.serial_number) is None
    await desk.http.post("/__admin/pki/seals/market-supervision/revoke")
    assert (await crl(point)).get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
    assert (await desk.http.post("/__admin/pki/seals/sm2-market-supervision/revoke")).status_code == 204
    assert (await desk.http.post("/__admin/pki/seals/sm2-nobody/revoke")).status_code == 404
    assert (await crl("/pki/crl/root.crl")).is_signature_valid(pki.root.certificate.public_key())
    assert (await desk.http.get("/pki/crl/nobody.crl")).status_code == 404
    await desk.http.post("/__admin/reset")
    assert (await crl(point)).get_revoked_certificate_by_serial_number(leaf.serial_number) is None


async def test_reset_and_seed(desk: Desk) -> None:
    identifier = await desk.find(POPULATION.personas["enterprise-small"])
    await desk.http.post(f"/__admin/certificates/{identifier}/status", json={"action": "revoke"})
    await desk.http.post("/__admin/reset")
    answer = await desk.ask("queryCertInfoByQRcode", qrcode=identifier)
    assert answer["data"]["certs"][0]["state"] == VerifyResult.VALID
    assert (await desk.http.post("/__admin/seed", json={"seed": 8})).status_code == 204
    personas = (await desk.http.get("/__admin/personas")).json()
    codes = {found["slug"]: found["holder_code"] for found in personas}
    assert codes["enterprise-small"] != POPULATION.personas["enterprise-small"].holder_code
    for wrong in ({"residents": 1}, {"colour": 1}, {"seed": "x"}):
        assert (await desk.http.post("/__admin/seed", json=wrong)).status_code == 422


@pytest.mark.parametrize("name", ["platform-busy", "platform-broken", "platform-no-permission"])
async def test_every_scenario_can_be_applied(desk: Desk, name: str) -> None:
    assert (await desk.http.post(f"/__admin/scenario/{name}")).status_code == 200


async def test_a_scenario_orders_for_a_persona(desk: Desk) -> None:
    (await desk.http.post("/__admin/scenario/licence-suspended")).raise_for_status()
    identifier = await desk.find(POPULATION.personas["enterprise-small"])
    answer = await desk.ask("queryCertInfoByQRcode", qrcode=identifier)
    assert answer["data"]["certs"][0]["state"] == VerifyResult.SUSPENDED
