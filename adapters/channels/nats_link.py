"""The one connection to NATS of a process: it comes and goes by itself, and makes its streams where they are missing.

Nothing here is kept for its own sake. The outbox in the database stays the truth: a server that lost its streams gets
them anew, and what was in them is sent again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from schemas.nats import event_subject, events_of, events_stream, receipt_subject, receipts_stream

OPEN_WITHIN_S: Final = 3.0
REQUEST_TIMEOUT_S: Final = 3.0
RECONNECT_WAIT_S: Final = 1
MAX_MESSAGE_BYTES: Final = 512 * 1024

log = structlog.get_logger()


@dataclass(frozen=True)
class StreamLimits:
    """What the two streams hold at most. ``duplicates`` is how long an event's id is remembered by the server.

    ``kept`` outlasts the time for which an event is tried. Beyond ``bytes`` the oldest goes: it is sent again.
    """

    kept: timedelta = timedelta(days=7)
    events_bytes: int = 256 * 1024 * 1024
    receipts_bytes: int = 64 * 1024 * 1024
    duplicates: timedelta = timedelta(seconds=30)
    unacknowledged: int = 1024


class NatsDown(Exception):
    """Nothing was sent: no connection, no JetStream, or streams that cannot be had. ``what`` is a stable slug."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class NatsUnsure(Exception):
    """Something may have been sent, and the server did not say so."""


class NatsLink:
    """Lazily connected from within the running loop; ``close`` it there."""

    def __init__(self, url: str, prefix: str, limits: StreamLimits | None = None) -> None:
        self._url = url
        self._prefix = prefix
        self._limits = limits or StreamLimits()
        self._client: Client | None = None
        self._opening: asyncio.Task[Client] | None = None
        self._preparing = asyncio.Lock()
        self._prepared: set[str] = set()
        self._closing = False
        self._expected: dict[str, asyncio.Future[bytes]] = {}

    async def close(self) -> None:
        """Let the connection go, or stop trying to get one."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        self._closing = True
        if self._client is not None and not self._client.is_closed:
            await self._client.close()

    @asynccontextmanager
    async def answer_to(self, utility: str, event_id: str) -> AsyncIterator["asyncio.Future[bytes]"]:
        """What the utility publishes for this event from now on; the first answer counts.

        Raises ``NatsDown``. An earlier answer is removed, so that what is found later is about what is sent now.
        """
        context = await self._ready(utility)
        subject = receipt_subject(self._prefix, utility, event_id)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            await context.purge_stream(receipts_stream(self._prefix), subject=subject)
        except (nats.errors.Error, TimeoutError) as error:
            raise self._down("streams", error) from None
        self._expected[subject] = future
        try:
            yield future
        finally:
            self._expected.pop(subject, None)
            future.cancel()

    async def publish(
        self, utility: str, event_type: str, event_id: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        """Hand the event to the stream. Raises ``NatsDown``, or ``NatsUnsure`` where it may be there all the same."""
        context = await self._ready(utility)
        subject = event_subject(self._prefix, utility, event_type, event_id)
        stream = events_stream(self._prefix)
        try:
            await context.publish(subject, body, timeout=REQUEST_TIMEOUT_S, stream=stream, headers=dict(headers))
        except (APIError, NoStreamResponseError) as error:  # no stream took it: a limit, or it is gone
            raise self._down("stream_declined", error) from None
        except (nats.errors.Error, TimeoutError, OSError) as error:
            self._prepared.clear()
            raise NatsUnsure(type(error).__name__) from None

    async def stored_answer(self, utility: str, event_id: str) -> bytes | None:
        """What the utility published for this event, also while nobody listened. Raises ``NatsDown``."""
        context = await self._ready(utility)
        subject = receipt_subject(self._prefix, utility, event_id)
        try:
            found = await context.get_last_msg(receipts_stream(self._prefix), subject)
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as error:
            raise self._down("streams", error) from None
        return found.data or b""

    async def _ready(self, utility: str) -> JetStreamContext:
        client = await self._connected()
        context = client.jetstream(timeout=REQUEST_TIMEOUT_S)
        if utility not in self._prepared:
            async with self._preparing:
                await self._prepare(context, utility)
        return context

    async def _connected(self) -> Client:
        if self._client is not None and self._client.is_closed and not self._closing:
            # After an error that the server tells, such as expired credentials, a client does not come back by itself.
            self._client = self._opening = None
        if self._client is None:
            self._opening = self._opening or asyncio.create_task(self._open())
            try:
                self._client = await asyncio.wait_for(asyncio.shield(self._opening), OPEN_WITHIN_S)
            except TimeoutError:
                raise NatsDown("disconnected") from None
            except (nats.errors.Error, OSError, ValueError) as error:
                self._opening = None
                raise self._down("disconnected", error) from None
        if not self._client.is_connected:
            raise NatsDown("disconnected")
        return self._client

    async def _open(self) -> Client:
        client = await nats.connect(
            self._url,
            name="bandian-gateway",
            connect_timeout=2,
            reconnect_time_wait=RECONNECT_WAIT_S,
            max_reconnect_attempts=-1,
            ping_interval=20,
            error_cb=_told,
            disconnected_cb=self._lost,
            reconnected_cb=self._back,
        )
        await client.subscribe(receipt_subject(self._prefix, "*", "*"), cb=self._answered)
        log.info("nats.connected")
        return client

    async def _answered(self, message: Msg) -> None:
        future = self._expected.get(message.subject)
        if future is not None and not future.done():
            future.set_result(message.data)

    async def _lost(self) -> None:
        self._prepared.clear()
        if not self._closing:
            log.warning("nats.disconnected")

    async def _back(self) -> None:
        self._prepared.clear()
        log.info("nats.reconnected")

    async def _prepare(self, context: JetStreamContext, utility: str) -> None:
        """Streams and the utility's consumer, as they are to be; what the operator added (replicas) stays."""
        if utility in self._prepared:
            return
        try:
            if not self._prepared:
                for config in self._streams():
                    await _ensure(context, config)
            await context.add_consumer(events_stream(self._prefix), self._consumer(utility))
        except (nats.errors.Error, TimeoutError) as error:
            raise self._down("streams", error) from None
        self._prepared.add(utility)

    def _streams(self) -> tuple[StreamConfig, StreamConfig]:
        events, receipts = events_of(self._prefix, "*"), receipt_subject(self._prefix, "*", "*")
        return (
            self._stream(events_stream(self._prefix), events, self._limits.events_bytes),
            self._stream(receipts_stream(self._prefix), receipts, self._limits.receipts_bytes),
        )

    def _stream(self, name: str, subjects: str, most_bytes: int) -> StreamConfig:
        """A subject is one event's: what is sent again takes the place of what was there."""
        return StreamConfig(
            name=name,
            subjects=[subjects],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_bytes=most_bytes,
            max_age=self._limits.kept.total_seconds(),
            max_msgs_per_subject=1,
            max_msg_size=MAX_MESSAGE_BYTES,
            duplicate_window=self._limits.duplicates.total_seconds(),
        )

    def _consumer(self, utility: str) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=utility,
            filter_subject=events_of(self._prefix, utility),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_ack_pending=self._limits.unacknowledged,
        )

    def _down(self, what: str, error: BaseException) -> NatsDown:
        self._prepared.clear()
        log.warning("nats.refused", what=what, error=type(error).__name__)
        return NatsDown(what)


_COMPARED: Final = ("subjects", "max_bytes", "duplicate_window", "max_age", "max_msgs_per_subject", "max_msg_size")


async def _ensure(context: JetStreamContext, config: StreamConfig) -> None:
    try:
        found = (await context.stream_info(config.name or "")).config
    except NotFoundError:
        await context.add_stream(config)
        return
    wanted = {name: getattr(config, name) for name in _COMPARED}
    if any(getattr(found, name) != value for name, value in wanted.items()):
        await context.update_stream(found.evolve(**wanted))


async def _told(error: Exception) -> None:
    log.warning("nats.error", error=type(error).__name__)
