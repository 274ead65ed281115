"""Structured logs: one JSON object a line, UTF-8. Personal data never gets this far; what does is dropped here.

The redaction is a last line of defence, not a licence to log: it takes out identity numbers and unified social credit
codes wherever they stand, and whatever lies under a name that holds personal data or secrets.
"""

import asyncio
import atexit
import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import lru_cache
from threading import get_ident
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"
FORBIDDEN_KEYS: Final = frozenset(
    {
        "address", "applicant", "assertion", "authorization", "birth", "body", "certificate", "certificate_number",
        "claims", "client_assertion", "contact", "cookie", "cookies", "credential", "credentials", "document", "dpop",
        "email", "exc_value", "face", "fields", "full_name", "headers", "holder", "holder_code", "holder_name",
        "id_card", "id_number", "identity_number", "jws", "jwt", "locals", "mobile", "name", "owner_name", "params",
        "password", "path", "payload", "person", "phone", "private_key", "proof", "query", "query_string", "secret",
        "set_cookie", "signature", "statement", "telephone", "token", "access_token", "url",
        "czzt", "czztdm", "kz_qlr", "kz_qlrzjh", "kz_zl",
        "姓名", "身份证号", "住址", "地址", "电话", "手机号", "权利人",
    }
)  # fmt: skip
"""Compared in lower case with ``-`` read as ``_``."""

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("bandian_request_id", default=None)
"""Of the request at hand. Setting it costs a tenth of what ``structlog.contextvars`` takes to bind and unbind."""
_OUR_OWN: Final = frozenset({"request_id"})
"""Made here, never taken from a caller: random hexadecimal, in which eighteen digits may stand by chance."""
_IDENTIFIERS: Final = re.compile(
    r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])"  # 公民身份号码
    r"|(?<![0-9A-Z])[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Z])"  # 统一社会信用代码
)
_SHORTEST: Final = 18
"""Characters of the identifiers that are looked for."""
_FULL_WIDTH: Final = {0xFF10 + digit: 0x30 + digit for digit in range(10)} | {0xFF38: ord("X"), 0xFF58: ord("x")}
_MAX_DEPTH: Final = 6
_MAX_FRAMES: Final = 12
_FOREIGN_LEVELS: Final = {
    "uvicorn.access": logging.CRITICAL + 1,
    "httpx": logging.WARNING,
    "sqlalchemy": logging.WARNING,
}
"""Loggers whose lines hold addresses with query strings or statements with their values."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: forbidden names lose their values, identifiers vanish from every text."""
    return {
        _text(key): value if key in _OUR_OWN and _is_hex(value) else _redacted(key, value, 0)
        for key, value in event.items()
    }


def with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: whatever is logged while a request is worked on bears its identifier."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def drop_fault_messages(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: ``exc_info`` becomes the fault's type and places; its message may quote data."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    fault = given[1] if isinstance(given, tuple) else given
    if given is True:
        fault = sys.exc_info()[1]
    if isinstance(fault, BaseException):
        event["fault"] = type(fault).__name__
        event["frames"] = frames_of(fault)
    return event


def frames_of(fault: BaseException) -> list[str]:
    """The last places that ``fault`` passed through, innermost last, as ``file:line function``."""
    frames = traceback.extract_tb(fault.__traceback__)[-_MAX_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the process's logs, libraries' included, to ``stream`` (standard output) as redacted JSON lines.

    Raises ``ValueError`` for an unknown ``level``.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError("unknown log level")
    shared: list[Processor] = [
        with_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        drop_fault_messages,
    ]
    structlog.configure(
        processors=[*shared, redact, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(stream or sys.stdout),
        cache_logger_on_first_use=False,
    )
    global _plain
    _plain = _Lines(stream or sys.stdout, number)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name, foreign_level in _FOREIGN_LEVELS.items():
        logging.getLogger(name).setLevel(max(number, foreign_level))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def info_in_own_words(event: str, **words: str | float | None) -> None:
    """Log ``event`` with nothing but the gateway's own words: names that are not forbidden, values that nobody sent.

    The same line as any other way, at a third of its cost: there is nothing in it to redact. In an event loop it is
    written in the loop's next round, with all others of this one; ``at`` tells in which order things happened.
    """
    lines, processors = _plain, structlog.get_config()["processors"]
    if not processors or processors[-1] is not _render or lines is None:
        structlog.get_logger().info(event, **words)
        return
    if lines.level <= logging.INFO:
        words |= {"event": event, "level": "info", "at": _spelled(time.time())}
        lines.soon(orjson.dumps(words).decode())


def _spelled(now: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, to the microsecond."""
    return f"{_second(int(now))}.{int(now % 1 * 1_000_000):06d}Z"


@lru_cache(2)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).isoformat()[:-6]


class _Lines:
    """Writes lines as ``logging`` does: a stream that is gone keeps nobody from working, and stderr hears of it.

    Where the stream cannot write a character it is written as its escape, which JSON reads as the same.
    """

    def __init__(self, stream: TextIO, level: int = logging.NOTSET) -> None:
        self._stream = stream
        self.level = level
        self._kept: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def soon(self, line: str) -> None:
        """Write ``line`` in the next round of the running event loop, or at once where there is none.

        Of the one thread whose loop that is.
        """
        if self._kept and self._loop is not None and self._loop.is_running() and self._thread == get_ident():
            self._kept.append(line)
            return
        try:
            self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        except RuntimeError:
            self.msg(line)
            return
        self._kept.append(line)  # behind those of a loop that was closed meanwhile, and had no next round
        self._loop.call_soon(self.write_kept)

    def write_kept(self) -> None:
        """Write what is kept for the next round."""
        kept, self._kept = self._kept, []
        if kept:
            self.msg(*kept)

    def msg(self, *lines: str) -> None:
        """Write ``lines``, at once."""
        try:
            try:
                self._stream.write("\n".join(lines) + "\n")
            except UnicodeEncodeError:
                self._stream.write("".join([json.dumps(json.loads(line)) + "\n" for line in lines]))
            self._stream.flush()
        except (OSError, ValueError) as fault:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"a log line could not be written: {type(fault).__name__}\n")

    debug = info = warning = error = critical = msg


_plain: _Lines | None = None
"""Where lines go that need no redaction, once logging is configured."""


@atexit.register
def _write_what_is_kept() -> None:
    if _plain is not None:
        _plain.write_kept()


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=lambda value: type(value).__name__, option=orjson.OPT_NON_STR_KEYS).decode()


@lru_cache(1024)
def _forbidden(key: str) -> bool:
    return key.lower().replace("-", "_") in FORBIDDEN_KEYS


def _redacted(key: object, value: Any, depth: int) -> Any:
    if _forbidden(str(key)) or depth > _MAX_DEPTH:
        return REDACTED
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return REDACTED if _IDENTIFIERS.search(str(value)) or abs(value) >= 2**63 else value
    if isinstance(value, bytes | bytearray | memoryview):
        return REDACTED
    if isinstance(value, Mapping):
        return {_text(str(name)): _redacted(name, item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):  # a named one is no list
        return [_redacted("", item, depth + 1) for item in value]
    return value.isoformat() if isinstance(value, date) else type(value).__name__


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _text(text: str) -> str:
    if len(text) < _SHORTEST and text.isascii():
        return text
    writable = text.encode(errors="replace").decode()
    return _IDENTIFIERS.sub(REDACTED, writable.translate(_FULL_WIDTH))
