"""The provincial platform as its own process, over real HTTP."""

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from schemas.ecertificates import HOLDER_IS_ENTERPRISE, TYPE_CODES
from schemas.share_interface import make_access_token
from tests.support.mock_process import running_mock

USE_CAUSE = {
    "certificateSystemName": "政企协同办电信息共享平台",
    "certificateCopyCause": "用电报装",
    "certificateCallCategory": "0",
    "certificateMatterName": "低压非居民新装",
    "certificateEventCode": "TEST",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    data = tmp_path_factory.mktemp("platform")
    size = ("--residents", "40", "--enterprises", "20", "--seed", "7")
    with running_mock("mock_services.provincial_platform", "--data-dir", str(data), *size) as (url, process):
        yield url, data, process


def share(client: httpx.Client, data_dir: Path, operation: str, data: dict[str, object]) -> dict[str, object]:
    access = json.loads((data_dir / "access.json").read_text(encoding="utf-8"))
    token = make_access_token(access["accessId"], access["secret"], datetime.now(UTC))
    head = {"accessId": access["accessId"], "accessToken": token}
    answer = client.post(f"/share/{operation}", json={"head": head, "data": {**data, "useCause": USE_CAUSE}})
    assert answer.status_code == 200
    return answer.json()


def test_query_link_download_and_no_second_download(running) -> None:
    url, data_dir, _ = running
    with httpx.Client(base_url=url) as client:
        personas = {found["slug"]: found for found in client.get("/__admin/personas").json()}
        found = share(
            client,
            data_dir,
            "queryCertInfoByHolderCode",
            {
                "holderCode": personas["enterprise-small"]["holder_code"],
                "holderTypeCode": HOLDER_IS_ENTERPRISE,
                "certTypeCode": TYPE_CODES["business_licence"],
            },
        )
        assert found["head"]["status"] == 0
        identifier = found["data"]["certs"][0]["certIdentifier"]
        link = share(client, data_dir, "downloadUrl", {"certIdentifier": identifier})["data"]["url"]
        assert link.startswith(f"{url}/download/")
        first = client.get(link)
        assert first.status_code == 200
        assert first.headers["content-type"] == "application/ecert+jwt"
        assert first.text.count(".") == 2
        assert client.get(link).status_code == 410


def test_reset_really_resets_the_connection(running) -> None:
    url, _, _ = running
    with httpx.Client(base_url=url) as client:
        client.put("/__admin/faults", json=[{"kind": "reset", "match": "/share"}]).raise_for_status()
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"POST /share/downloadUrl HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        with pytest.raises(ConnectionResetError):
            raw.recv(1)


def test_trust_and_keys_are_where_they_belong(running) -> None:
    url, data_dir, _ = running
    roots = "".join((data_dir / "trust" / "anchors" / name).read_text() for name in ("root.pem", "sm2-root.pem"))
    assert httpx.get(f"{url}/pki/anchors").text == roots
    assert "PRIVATE" not in roots
    assert (data_dir / "access.json").stat().st_mode & 0o077 == 0


def test_it_says_one_line_and_stops_quickly(tmp_path: Path) -> None:
    size = ("--residents", "40", "--enterprises", "20")
    with running_mock("mock_services.provincial_platform", "--data-dir", str(tmp_path), *size) as (url, process):
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        process.terminate()
        out, err = process.communicate(timeout=5)
        assert (process.returncode, out, err) == (0, "", "")


def test_listening_everywhere_needs_a_name(tmp_path: Path) -> None:
    arguments = ("--data-dir", str(tmp_path), "--host", "0.0.0.0")
    with (
        pytest.raises(RuntimeError, match="needs --public-url"),
        running_mock("mock_services.provincial_platform", *arguments),
    ):
        pass


def test_crls_are_served_by_the_real_clock(running) -> None:
    url, _, _ = running
    crl = x509.load_der_x509_crl(httpx.get(f"{url}/pki/crl/construction.crl").content)
    assert crl.last_update_utc <= datetime.now(UTC) < crl.next_update_utc


def test_too_small_a_province_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="at least 40 residents"),
        running_mock("mock_services.provincial_platform", "--data-dir", str(tmp_path), "--residents", "3"),
    ):
        pass
