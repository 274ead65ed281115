"""Takes the gateway's events from NATS JetStream, as an integrator would: receive, answer, and only then acknowledge.

The durable consumer bears our code and is made by the gateway. The answer is published to the receipts of the event:
the signed receipt, a signed refusal of what will never do, or a problem document that says why it has to come again.
The timestamp that was signed is compared with the time at which the stream took the message: how long it lay there is
nobody's fault.
"""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass

import httpx
import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from mock_services.jose import TokenRefused
from mock_services.utility.receiver import Receiver
from mock_services.utility.store import EventChanged
from mock_services.utility.webhooks import WebhookRefused
from schemas.events import HEADER_ID
from schemas.nats import events_stream, receipt_subject

AT_ONCE = 16
PAUSE_S = 0.2
_UNFIT = ("event", "event_data", "department_signature")


@dataclass
class NatsConsumer:
    """One per process."""

    url: str
    prefix: str
    receiver: Receiver

    async def run(self) -> None:
        """Until cancelled; a server that goes away is waited for."""
        client = await nats.connect(
            self.url, name=self.receiver.partner, max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=_told
        )
        try:
            while True:
                with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
                    await self._pull(client)
                await asyncio.sleep(PAUSE_S)
        finally:
            await client.close()

    async def _pull(self, client: Client) -> None:
        context = client.jetstream()
        pulled = await context.pull_subscribe_bind(self.receiver.partner, events_stream(self.prefix))
        try:
            while True:
                try:
                    messages = await pulled.fetch(AT_ONCE, timeout=1)
                except TimeoutError:
                    # Nothing came; or stream and consumer are gone, which the next look at them will tell.
                    await pulled.consumer_info()
                    continue
                for message in messages:
                    await self._take(context, message)
        finally:
            with contextlib.suppress(nats.errors.Error):
                await pulled.unsubscribe()

    async def _take(self, context: JetStreamContext, message: Msg) -> None:
        headers = {name.lower(): value for name, value in (message.headers or {}).items()}
        event_id = headers.get(HEADER_ID, "")
        answer = await self._answer(headers, message)
        if event_id:
            subject = receipt_subject(self.prefix, self.receiver.partner, event_id)
            await context.publish(subject, answer)
        # The answer is in the stream: without it the message would come again, and be a duplicate.
        await message.ack()

    async def _answer(self, headers: dict[str, str], message: Msg) -> bytes:
        try:
            receipt = await self.receiver.receive(headers, message.data, sent_at=message.metadata.timestamp)
            return receipt.encode()
        except WebhookRefused as error:
            if error.reason in _UNFIT:
                return self.receiver.refusal(headers[HEADER_ID], message.data).encode()
            return _problem(401, error.reason)
        except EventChanged:
            return _problem(409, "event_changed")
        except (httpx.HTTPError, TokenRefused):
            return _problem(503, "gateway_keys")


def _problem(status: int, reason: str) -> bytes:
    return json.dumps({"status": status, "check": f"nats.{reason}", "title": "推送未被接受"}).encode()


async def _told(error: Exception) -> None:
    print(f"nats: {type(error).__name__}", file=sys.stderr)
