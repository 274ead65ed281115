"""A source that answers at once what the mock platform answered before: ``python -m tests.bench.hot.source``.

The bytes are the platform's own, sealed by its keys; only the looking up is ours.
"""

import argparse
import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from adapters.http_client import HttpReply, HttpRequest
from adapters.httpx_client import HttpxClient
from adapters.provincial_platform import ProvincialPlatform
from gateway.certificates.ports import SourceQuery, UsePurpose
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, TYPE_CODES
from tests.bench.hot.wire import Reply, answer, serve

KIND = "business_licence"
PLAIN, SM2 = "plain", "sm2"
"""Whose seals."""
_UNKNOWN = answer("404 Not Found", "text/plain", b"")


class _Recorder:
    """An ``HttpClient`` that keeps what was answered, and by operation what was asked last."""

    def __init__(self) -> None:
        self._client = HttpxClient()
        self.answers: dict[str, str] = {}
        self.asked: dict[str, Any] = {}

    async def send(self, request: HttpRequest, *, partner: str) -> HttpReply:
        reply = await self._client.send(request, partner=partner)
        self.answers[question(request.body)] = base64.b64encode(reply.body).decode()
        path = urlsplit(request.url).path
        self.asked[path.rpartition("/")[2]] = {"path": path, "data": orjson.loads(request.body)["data"]}
        return reply

    async def aclose(self) -> None:
        await self._client.aclose()


def question(body: bytes) -> str:
    """What a request asks for, without who asks and why."""
    data = orjson.loads(body)["data"]
    return f"{data.get('certTypeCode', '')}/{data.get('holderCode') or data.get('certIdentifier')}"


async def record_answers(access: dict[str, Any], holder_codes: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The platform's answers about each holder's business licence, by question, in base64.

    And what was asked, by operation: ``path`` and ``data`` of one of the requests.
    """
    recorder = _Recorder()
    platform = ProvincialPlatform(
        code=access["code"],
        base_url=access["url"],
        access_id=access["access_id"],
        access_secret=access["access_secret"],
        system_name="bench",
        http=recorder,
    )
    purpose = UsePurpose(cause="用电报装", matter_name="用电报装", event_code="bench")
    for holder_code in holder_codes:
        query = SourceQuery(TYPE_CODES[KIND], holder_code, HOLDER_IS_ENTERPRISE, access["region"], purpose)
        await platform.find(query, datetime.now(UTC))
    await recorder.aclose()
    return recorder.answers, recorder.asked


class StandIn:
    """Recorded answers, under ordinary seals until ``PUT /seals`` names others."""

    def __init__(self, recorded: Mapping[str, Path]) -> None:
        self._answers = {name: _wired(path) for name, path in recorded.items()}
        self._given = self._answers[PLAIN]

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        if head.startswith(b"PUT "):
            self._given = self._answers[body.decode()]
            reply(answer("204 No Content", "text/plain", b""))
        else:
            reply(self._given.get(question(body), _UNKNOWN))


def _wired(path: Path) -> dict[str, bytes]:
    return {
        asked: answer("200 OK", "application/json", base64.b64decode(body))
        for asked, body in json.loads(path.read_text("utf-8")).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--plain", type=Path, required=True, help="recorded answers")
    parser.add_argument("--sm2", type=Path, required=True, help="the same under SM2 seals")
    options = parser.parse_args()
    serve(lambda: StandIn({PLAIN: options.plain, SM2: options.sm2}), options.port)


if __name__ == "__main__":
    main()
