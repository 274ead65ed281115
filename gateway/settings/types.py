"""What kinds of values settings have. A fault is told without the value, because values may be secret."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import NoDecode


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be an absolute address such as https://gateway.example")
    return parts


def _http_url(url: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an http or https address without user information, query or fragment")
    return url.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""http or https, without a trailing slash."""


def _nats_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value())
    if parts.scheme not in ("nats", "tls") or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be an address such as nats://127.0.0.1:4222 or tls://user@nats.example:4222")
    return url


NatsUrl = Annotated[SecretStr, AfterValidator(_nats_url)]
"""``nats`` or ``tls``; it may carry a user and a password."""

NatsPrefix = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


def _listed(value: object) -> object:
    """A comma list or a JSON list from a variable; anything else is left to the validation of the field."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("must be a comma list or a JSON list") from None


def _host_name(host: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f]*(:[0-9a-f]*)+", host.lower()):
        raise ValueError("must list host names or addresses, without scheme, port or brackets")
    return host.lower()


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("must list addresses and networks, as 10.0.0.5 and 10.1.0.0/16 are") from None
    if network.prefixlen == 0:
        raise ValueError("must not trust every address")
    return text


Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_listed)]
"""Addresses, or networks in CIDR notation without host bits."""


def _origin_only(url: str) -> str:
    if urlsplit(_http_url(url)).path not in ("", "/"):
        raise ValueError("must list origins, as https://status.example is: scheme, host and port alone")
    return url.rstrip("/")


Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin_only)], ...], NoDecode, BeforeValidator(_listed)]
"""``scheme://host[:port]``."""


def _key_provider(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*:\S.*", text):
        raise ValueError(
            "must say where the wrapping key is, as file:PATH or env:NAME; the key itself does not go here"
        )
    return text


ProviderReference = Annotated[str, AfterValidator(_key_provider)]
"""``scheme:reference``, as ``adapters.key_providers`` reads it."""

Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]
"""Paths of files, as a comma list or a JSON list."""

Years = Annotated[tuple[Annotated[int, Field(ge=2000, le=2200)], ...], NoDecode, BeforeValidator(_listed)]

TypeCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,32}$")]
"""证照类型代码."""

HostNames = Annotated[frozenset[Annotated[str, AfterValidator(_host_name)]], NoDecode, BeforeValidator(_listed)]
"""Lower case, as ``urlsplit(…).hostname`` answers."""
