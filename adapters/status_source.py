"""Fetches status lists and CRLs, only from origins that the operator named, only as the media types they must be."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from adapters.http_client import HttpClient, HttpRequest
from gateway.certificates.crls import MAX_CRL_BYTES
from gateway.certificates.revocation import MAX_STATUS_TOKEN_BYTES
from gateway.errors import Owner, PartnerUnavailable
from schemas.status_lists import STATUS_LIST_MEDIA_TYPE

CRL_MEDIA_TYPES = frozenset({"application/pkix-crl", "application/x-pkcs7-crl", "application/octet-stream"})
PARTNER = "certificate-status"


class HttpStatusSource:
    """A `StatusSource` over HTTP."""

    def __init__(self, http: HttpClient, allowed_origins: Iterable[str]) -> None:
        """``allowed_origins`` are ``scheme://host[:port]``; none means that nothing is fetched."""
        self._http = http
        self._allowed = frozenset(_origin(item) for item in allowed_origins)

    async def fetch_status_list(self, uri: str) -> bytes:
        """As `StatusSource.fetch_status_list`. White space around the token (a trailing line end) is dropped."""
        body = await self._fetch(uri, frozenset({STATUS_LIST_MEDIA_TYPE}), MAX_STATUS_TOKEN_BYTES)
        return body.strip()

    async def fetch_crl(self, uri: str) -> bytes:
        """As `StatusSource.fetch_crl`."""
        return await self._fetch(uri, CRL_MEDIA_TYPES, MAX_CRL_BYTES)

    async def _fetch(self, uri: str, media_types: frozenset[str], limit: int) -> bytes:
        if _origin(uri) not in self._allowed:
            raise _unavailable("status.address_not_allowed", "状态地址未在共享平台登记，请登记后重试", Owner.GATEWAY)
        request = HttpRequest("GET", uri, {"accept": ", ".join(sorted(media_types))}, idempotent=True, max_bytes=limit)
        reply = await self._http.send(request, partner=PARTNER)
        if reply.status != 200 or reply.media_type not in media_types or not reply.body:
            raise _unavailable(
                "status.malformed", "状态列表或吊销列表的应答不符合约定，请联系来源平台", Owner.GOVERNMENT
            )
        return reply.body


def _origin(uri: str) -> tuple[str, str]:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


def _unavailable(check: str, remedy: str, owner: Owner) -> PartnerUnavailable:
    return PartnerUnavailable(check=check, owner=owner, remedy=remedy, partner=PARTNER)
