import base64
import hashlib
import json
from datetime import timedelta

import httpx
import pytest
import respx

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.provincial_platform import KNOWN_FOR, MAX_KNOWN_FILE, ProvincialPlatform
from gateway.certificates.errors import SourceDenied
from gateway.certificates.ports import SourceQuery, UsePurpose
from gateway.errors import Owner, PartnerUnavailable
from schemas.share_interface import (
    CertInfoList,
    DownloadedFile,
    DownloadRequest,
    HolderCodeQuery,
    ShareRequest,
    access_token_is_good,
)
from tests.support.ecertificates import AT, ENTERPRISE, Province

BASE = "https://platform.example/api"
QUERY = SourceQuery("11100000MB0143028R001", ENTERPRISE, "001", "440100", UsePurpose("用电报装", "intake", "核验"))
PROVINCE = Province()
METADATA = PROVINCE.metadata()
IDENTIFIER = METADATA["ZZBS"]
ENVELOPE = b"eyJ.sealed.bytes"


def reply(status=0, data=None, **kwargs):
    body = {"head": {"status": status, "message": "…"}}
    if data is not None:
        body["data"] = data
    return httpx.Response(200, json=body, **kwargs)


def certs(*identifiers):
    listed = [{"certIdentifier": item, "state": 0, "certInfo": METADATA | {"ZZBS": item}} for item in identifiers]
    return reply(data={"certs": listed})


def file(data=ENVELOPE):
    return reply(
        data={"fileName": "a", "mediaType": "application/ecert+jwt", "fileData": base64.b64encode(data).decode()}
    )


def link(url=f"{BASE}/download/t1", minutes=10):
    return reply(data={"url": url, "expiresAt": (AT + timedelta(minutes=minutes)).isoformat()})


@pytest.fixture
async def platform():
    async def no_wait(_):
        pass

    http = HttpxClient(HttpLimits(), clock=lambda: AT, sleep=no_wait)
    yield ProvincialPlatform(
        code="gd-province", base_url=BASE, access_id="id", access_secret="secret", system_name="办电", http=http
    )
    await http.aclose()


@pytest.fixture
def share():
    with respx.mock(assert_all_called=False) as router:
        router.query = router.post(f"{BASE}/share/queryCertInfoByHolderCode").mock(return_value=certs(IDENTIFIER))
        router.file = router.post(f"{BASE}/share/downloadFile").mock(return_value=file())
        router.url = router.post(f"{BASE}/share/downloadUrl").mock(return_value=link())
        router.get_link = router.get(f"{BASE}/download/t1").respond(200, content=ENVELOPE)
        yield router


async def unavailable(platform) -> PartnerUnavailable:
    with pytest.raises(PartnerUnavailable) as refused:
        await platform.find(QUERY, AT)
    assert refused.value.partner == "gd-province"
    return refused.value


async def test_each_certificate_comes_with_its_file_identifier_and_time(platform, share):
    (found,) = await platform.find(QUERY, AT)
    assert (found.envelope, found.source, found.fetched_at, found.identifier) == (
        ENVELOPE,
        "gd-province",
        AT,
        IDENTIFIER,
    )
    asked = json.loads(share.query.calls.last.request.content)
    assert access_token_is_good(asked["head"]["accessToken"], "id", "secret", AT)
    assert asked["data"] == {
        "holderCode": ENTERPRISE,
        "holderTypeCode": "001",
        "certTypeCode": "11100000MB0143028R001",
        "useCause": {
            "certificateSystemName": "办电",
            "certificateCopyCause": "核验",
            "certificateCallCategory": "0",
            "certificateMatterName": "用电报装",
            "certificateEventCode": "intake",
        },
    }
    written = ShareRequest[HolderCodeQuery].model_validate(asked).model_dump_json(by_alias=True, exclude_none=True)
    assert share.query.calls.last.request.content == written.encode(), "as the whole of it would be written"
    wanted = ShareRequest[DownloadRequest].model_validate_json(share.file.calls.last.request.content)
    assert wanted.data.cert_identifier == IDENTIFIER
    assert share.file.calls.last.request.content == wanted.model_dump_json(by_alias=True, exclude_none=True).encode()


@pytest.mark.parametrize("code", ['quote"d', "back\\slash", "人工", "a\x01b", "%s%b"])
async def test_whoever_is_asked_about_is_spelled_as_json_spells_him(platform, share, code):
    await platform.find(QUERY._replace(holder_code=code), AT)
    assert json.loads(share.query.calls.last.request.content)["data"]["holderCode"] == code


async def test_a_list_that_comes_again_is_known_by_its_bytes_and_another_is_not(platform, share):
    reads = []
    platform._read = lambda reply, answer, read=platform._read: reads.append(answer) or read(reply, answer)
    for _ in range(2):
        (found,) = await platform.find(QUERY, AT)
        assert found.identifier == IDENTIFIER
        assert reads.count(CertInfoList) == 1
    share.query.mock(return_value=reply(data={"certs": []}))
    assert await platform.find(QUERY, AT) == ()
    assert reads.count(CertInfoList) == 2
    share.query.mock(return_value=certs(IDENTIFIER))
    await platform.find(QUERY, AT + KNOWN_FOR)
    await platform.find(QUERY, AT + KNOWN_FOR)
    assert reads.count(CertInfoList) == 3
    share.query.mock(
        return_value=httpx.Response(200, content=certs(IDENTIFIER).content, headers={"content-type": "text/html"})
    )
    with pytest.raises(PartnerUnavailable, match=r"source\.malformed"):
        await platform.find(QUERY, AT + KNOWN_FOR)


async def test_a_file_that_comes_again_is_known_by_its_bytes_and_another_is_not(platform, share):
    reads = []
    platform._read = lambda reply, answer, read=platform._read: reads.append(answer) or read(reply, answer)
    (first,), (again,) = await platform.find(QUERY, AT), await platform.find(QUERY, AT)
    assert again == first
    assert again.envelope is first.envelope
    assert (first.digest, reads.count(DownloadedFile)) == (hashlib.sha256(ENVELOPE).hexdigest(), 1)
    share.file.mock(return_value=file(b"another"))
    (other,) = await platform.find(QUERY, AT)
    assert (other.envelope, other.digest) == (b"another", hashlib.sha256(b"another").hexdigest())
    share.file.mock(return_value=httpx.Response(200, content=file().content, headers={"content-type": "text/html"}))
    with pytest.raises(PartnerUnavailable, match=r"source\.malformed"):
        await platform.find(QUERY, AT)


async def test_no_file_is_remembered_for_long_nor_a_long_one(platform, share):
    await platform.find(QUERY, AT)
    assert (len(platform._lists), len(platform._files)) == (1, 1)
    platform.sweep_memory(AT + KNOWN_FOR - timedelta(seconds=1))
    assert (len(platform._lists), len(platform._files)) == (1, 1)
    platform.sweep_memory(AT + KNOWN_FOR)
    assert (len(platform._lists), len(platform._files)) == (0, 0)
    share.file.mock(return_value=file(b"x" * (MAX_KNOWN_FILE + 1)))
    await platform.find(QUERY, AT + KNOWN_FOR)
    assert len(platform._files) == 0


async def test_nothing_found_is_an_empty_answer(platform, share):
    share.query.mock(return_value=reply(10))
    assert list(await platform.find(QUERY, AT)) == []


async def test_a_certificate_that_went_meanwhile_is_left_out(platform, share):
    share.file.mock(return_value=reply(10))
    assert list(await platform.find(QUERY, AT)) == []


@pytest.mark.parametrize(
    ("status", "check", "owner"),
    [
        (2, "source.not_provided", Owner.GOVERNMENT),
        (11, "source.authentication", Owner.GATEWAY),
        (12, "source.bad_request", Owner.GATEWAY),
        (99, "source.other", Owner.GOVERNMENT),
        (102, "source.bad_request", Owner.GATEWAY),
        (109, "source.bad_request", Owner.GATEWAY),
        (110, "source.bad_request", Owner.GATEWAY),
        (111, "source.bad_request", Owner.GATEWAY),
        (12345, "source.other", Owner.GOVERNMENT),
    ],
)
async def test_every_head_status_is_told_apart(platform, share, status, check, owner):
    share.query.mock(return_value=reply(status))
    error = await unavailable(platform)
    assert (error.check, error.owner) == (check, owner)


async def test_no_permission_is_a_denial_and_not_an_outage(platform, share):
    share.query.mock(return_value=reply(100))
    with pytest.raises(SourceDenied):
        await platform.find(QUERY, AT)


@pytest.mark.parametrize(
    "bad",
    [
        httpx.Response(200, content=b"<html>", headers={"content-type": "application/json"}),
        httpx.Response(200, content=b'{"head":{"status":0}}', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b'{"data":{}}', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b'{"head":{"status":"x"}}', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b'{"head":{"status":0},"data":{}}', headers={"content-type": "text/html"}),
        httpx.Response(404),
        certs("not an identifier"),
    ],
)
async def test_an_answer_of_another_shape_is_malformed(platform, share, bad):
    share.query.mock(return_value=bad)
    assert (await unavailable(platform)).check == "source.malformed"


@pytest.mark.parametrize(
    ("effect", "check"),
    [
        (httpx.ReadTimeout("x"), "http.timeout"),
        (httpx.ReadError("reset"), "http.connection"),
        (httpx.Response(503, headers={"Retry-After": "30"}), "http.throttled"),
        (httpx.Response(200, content=b"x" * 9_000_000), "http.oversize"),
    ],
)
async def test_a_failing_network_is_said_by_its_cause(platform, share, effect, check):
    share.query.mock(**({"side_effect": effect} if isinstance(effect, Exception) else {"return_value": effect}))
    error = await unavailable(platform)
    assert error.check == check
    assert error.retry_after == (30 if check == "http.throttled" else None)


@pytest.mark.parametrize("data", ["not base64!", ""])
async def test_a_file_that_is_no_base64_is_malformed(platform, share, data):
    share.file.mock(return_value=reply(data={"fileName": "a", "mediaType": "b", "fileData": data}))
    assert (await unavailable(platform)).check == "source.malformed"


async def test_more_certificates_than_anyone_has_are_refused(platform, share):
    many = [str(IDENTIFIER).replace("20260000001", f"2026{number:07d}") for number in range(51)]
    share.query.mock(return_value=certs(*many))
    assert (await unavailable(platform)).check == "source.too_many"


async def test_links_serve_where_files_are_not_given(platform, share):
    share.file.mock(return_value=reply(2))
    (found,) = await platform.find(QUERY, AT)
    assert found.envelope == ENVELOPE


@pytest.mark.parametrize("spent", [404, 410, 403])
async def test_a_spent_link_is_replaced_once_and_never_fetched_twice(platform, share, spent):
    share.file.mock(return_value=reply(2))
    share.get_link.respond(spent)
    share.url.mock(side_effect=[link(), link(f"{BASE}/download/t2")])
    second = share.get(f"{BASE}/download/t2").respond(200, content=ENVELOPE)
    (found,) = await platform.find(QUERY, AT)
    assert found.envelope == ENVELOPE
    assert (share.get_link.call_count, second.call_count) == (1, 1)


async def test_a_link_that_keeps_failing_is_an_outage(platform, share):
    share.file.mock(return_value=reply(2))
    share.get_link.respond(410)
    assert (await unavailable(platform)).check == "source.link_expired"
    assert share.url.call_count == 2


async def test_an_expired_link_is_not_even_fetched(platform, share):
    share.file.mock(return_value=reply(2))
    share.url.mock(return_value=link(minutes=0))
    assert (await unavailable(platform)).check == "source.link_expired"
    assert share.get_link.call_count == 0


async def test_a_link_to_another_host_is_never_followed(platform, share):
    share.file.mock(return_value=reply(2))
    share.url.mock(return_value=link("https://169.254.169.254/latest"))
    assert (await unavailable(platform)).check == "source.foreign_link"


async def test_a_lost_link_download_is_not_repeated(platform, share):
    share.file.mock(return_value=reply(2))
    share.get_link.mock(side_effect=httpx.ReadError("reset"))
    assert (await unavailable(platform)).check == "http.connection"
    assert share.get_link.call_count == 1


async def test_errors_name_nobody(platform, share):
    share.query.mock(return_value=reply(99, {"message": ENTERPRISE}))
    assert ENTERPRISE not in repr(await unavailable(platform))
