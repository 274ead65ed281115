"""Review requests to a department: a JWS of the gateway (``typ`` review-request+jwt), answered with its reference."""

from datetime import datetime

from pydantic import ValidationError

from adapters.channels.posting import Outgoing, Poster
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import sign_jws
from gateway.crypto.strict_json import parse_object
from gateway.delivery.ports import ChannelKind, Event, Receipt
from gateway.partners.directory import Directory
from schemas.departments import ReviewAcknowledged
from schemas.wire import MEDIA_JOSE, Typ

MAX_ACKNOWLEDGEMENT_BYTES = 16 * 1024


class DepartmentChannel:
    """``gateway.delivery.ports.Channel`` for departments. The event's data are the claims, signed as they are.

    The receipt is the department's answer as it came; who gave it rests on TLS and the registered address.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        directory: Directory,
        signing_key: CurrentKey,
        *,
        insecure_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._poster = Poster(outgoing, ChannelKind.DEPARTMENT.value, insecure_hosts)
        self._directory = directory
        self._signing_key = signing_key

    async def send(self, event: Event, at: datetime) -> Receipt:
        """See ``Channel.send``."""
        endpoint = self._poster.endpoint_of(await self._directory.snapshot(), event.destination)
        request = sign_jws(event.data, self._signing_key(), Typ.REVIEW_REQUEST.value)
        headers = {"Content-Type": MEDIA_JOSE, "Accept": "application/json"}
        answer = await self._poster.post(endpoint, request.encode(), headers, at)
        acknowledged = self._read(event, answer.body)
        if acknowledged.permit_id != event.data["permit_id"]:
            raise self._poster.unavailable(
                event.destination, "acknowledgement.permit_id", "部门须就所收到的审批事项应答"
            )
        return Receipt(answer.body.decode(), acknowledged.duplicate)

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        """See ``Channel.find_receipt``: departments are not asked; a repeated request answers the same reference."""
        return None

    def _read(self, event: Event, body: bytes) -> ReviewAcknowledged:
        try:
            return ReviewAcknowledged.model_validate(parse_object(body, max_bytes=MAX_ACKNOWLEDGEMENT_BYTES))
        except (JoseRefused, ValidationError):
            raise self._poster.unavailable(
                event.destination, "acknowledgement.unreadable", "部门须按接口文档应答审批请求"
            ) from None
