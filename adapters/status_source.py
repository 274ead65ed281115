"""Fetches status lists, CRLs and OCSP responses: only from origins the operator named, only as what they must be."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from adapters.http_client import HttpClient, HttpRequest
from gateway.certificates.status_lists import MAX_STATUS_TOKEN_BYTES
from gateway.certificates.x509.crls import MAX_CRL_BYTES
from gateway.certificates.x509.ocsp import MAX_RESPONSE_BYTES
from gateway.errors import Owner, PartnerUnavailable
from schemas.status_lists import STATUS_LIST_MEDIA_TYPE

CRL_MEDIA_TYPES = frozenset({"application/pkix-crl", "application/x-pkcs7-crl", "application/octet-stream"})
OCSP_REQUEST_TYPE = "application/ocsp-request"
OCSP_MEDIA_TYPES = frozenset({"application/ocsp-response"})
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

    async def fetch_ocsp(self, uri: str, request: bytes) -> bytes:
        """As `StatusSource.fetch_ocsp`, by POST (RFC 6960 A.1), which every responder takes."""
        return await self._fetch(uri, OCSP_MEDIA_TYPES, MAX_RESPONSE_BYTES, question=request)

    async def _fetch(
        self, uri: str, media_types: frozenset[str], limit: int, *, question: bytes | None = None
    ) -> bytes:
        if _origin(uri) not in self._allowed:
            raise _unavailable("status.address_not_allowed", "状态地址未在共享平台登记，请登记后重试", Owner.GATEWAY)
        headers = {"accept": ", ".join(sorted(media_types))}
        if question is not None:
            headers["content-type"] = OCSP_REQUEST_TYPE
        method, body = ("GET", b"") if question is None else ("POST", question)
        # Asking again does no harm, whatever the method: the answer changes nothing at the responder.
        request = HttpRequest(method, uri, headers, body, idempotent=True, max_bytes=limit)
        reply = await self._http.send(request, partner=PARTNER)
        if reply.status != 200 or reply.media_type not in media_types or not reply.body:
            raise _unavailable(
                "status.malformed", "状态列表、吊销列表或在线状态的应答不符合约定，请联系来源平台", Owner.GOVERNMENT
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
