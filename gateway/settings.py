"""Settings: the only reader of the environment. Every variable starts with ``BANDIAN_``.

Defaults are safe and make a development gateway on this machine alone. A dangerous or contradictory setting refuses
the start with one sentence that says how to mend it; no sentence ever quotes a value, because values may be secret.
"""

# ruff: noqa: ARG003 - settings_customise_sources has its parent's parameters

import difflib
import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableValue
from pydantic_settings.sources.utils import parse_env_vars

from gateway.crypto.aead import Algorithm
from gateway.records.notes import COSIGNATURE_TYPE, VerifierKey, is_key_name, parse_vkey
from gateway.setting_types import (
    HostNames,
    HttpUrl,
    NatsPrefix,
    NatsUrl,
    Networks,
    Origins,
    Paths,
    ProviderReference,
    TypeCode,
    Years,
)
from schemas.departments import ReviewMode
from schemas.wire import Day, PartnerCode, RegionDigits, Slug

PREFIX: Final = "BANDIAN_"
TEST_PREFIX: Final = "BANDIAN_TEST_"
"""Variables of the test suite share the environment and mean nothing here."""
_MAX_SECRET_BYTES: Final = 4096


class SettingsError(ValueError):
    """The start is refused; the text is one sentence for the operator, without any value."""


class Mode(StrEnum):
    """``production`` refuses what is only fit for one's own machine."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    scheme = text.split(":", 1)[0].split("+", 1)[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    if scheme == "sqlite" and (not re.match(r"sqlite(\+\w+)?:///.", text) or ":memory:" in text):
        raise ValueError("must name a file, as sqlite:///./var/bandian.sqlite3 does; a database in memory is lost")
    return url


def _origin_of_record(text: str) -> str:
    if not is_key_name(text):
        raise ValueError("must have neither spaces nor a plus sign, as gateway.example/record has none")
    return text


def _witness_key(text: str) -> str:
    if parse_vkey(text).type != COSIGNATURE_TYPE:  # NoteInvalid is a ValueError
        raise ValueError("must be a cosignature key (C2SP type 04)")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SourceSettings(_Part):
    """One provincial platform (电子证照共享平台) or a lower level of it, asked for holders of ``region``."""

    code: PartnerCode
    url: HttpUrl
    region: RegionDigits
    kinds: frozenset[Slug] | None = Field(default=None, min_length=1, description="Certificate kinds; all if left out")
    access_id: str = Field(min_length=1, max_length=200)
    access_secret: SecretStr | None = None
    access_secret_file: Path | None = None
    changes: bool = Field(default=False, description="It has a change feed (queryCertChanges), which is read")

    def secret(self) -> str:
        """The access secret. Raises ``SettingsError`` when it is nowhere, or cannot be read."""
        if self.access_secret is not None:
            return self.access_secret.get_secret_value()
        if self.access_secret_file is None:
            raise SettingsError(f"{PREFIX}SOURCES: {self.code} needs access_secret_file, or access_secret.")
        return read_secret(self.access_secret_file)


class IdentityProviderSettings(_Part):
    """The OpenID Connect provider that verifies applicants (统一身份认证)."""

    issuer: HttpUrl
    client_id: str = Field(default="bandian", min_length=1, max_length=200)


class WitnessSettings(_Part):
    """A service that co-signs checkpoints of the record (C2SP tlog-witness), at its submission prefix."""

    url: HttpUrl
    keys: tuple[Annotated[str, AfterValidator(_witness_key)], ...] = Field(
        min_length=1, max_length=4, description="Its verifier keys (vkey, type 04), all of one name"
    )

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(parse_vkey(text) for text in self.keys)


class TimeStampSettings(_Part):
    """An authority that stamps checkpoints of the record (RFC 3161), and the PEM file of whom it must lead to."""

    url: HttpUrl
    anchors: Path
    every_s: int = Field(default=3600, ge=10, le=86400 * 7)


class RetentionSettings(_Part):
    """How many days personal data are kept after what ``gateway.retention.policies`` names."""

    parties_days: int = Field(default=180, ge=0, le=3660)
    withdrawn_parties_days: int = Field(default=30, ge=0, le=3660)
    deliveries_days: int = Field(default=90, ge=1, le=3660)
    undelivered_days: int = Field(default=365, ge=4, le=3660, description="Deliveries are tried for three days")


class ReviewModeSettings(_Part):
    """A rule by which a region lets permits go by ``mode`` (第（四）条): for which lines, on which basis, from when."""

    mode: ReviewMode
    permit: Slug | None = None
    max_voltage_v: int = Field(gt=0)
    max_length_m: float = Field(gt=0, allow_inf_nan=False)
    clause: str = Field(min_length=1, max_length=200)
    effective_from: date
    effective_to: date | None = None
    region: str = Field(default="", pattern=r"^([0-9]{2}){0,3}$")
    note: str = Field(default="", max_length=500)


class Settings(BaseSettings):
    """What ``load_settings`` answers; frozen, and no secret shows in its repr.

    Durations are in seconds, sizes in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    mode: Mode = Mode.DEVELOPMENT
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8080, ge=0, le=65535)
    processes: int = Field(default=1, ge=1, le=64)
    embedded_worker: bool = Field(default=True, description="Deliver from the serving process, without a worker")
    drain_s: float = Field(default=0, ge=0, le=120, description="Not ready for so long before it stops (SIGTERM)")
    trusted_proxies: Networks = Field(default=(), description="Whose X-Forwarded-For and -Proto are believed")
    partner_rate_limit: int = Field(default=6000, ge=60, le=1_000_000, description="Requests a minute of one partner")
    public_url: HttpUrl | None = Field(default=None, description="How others reach the gateway")
    issuer: HttpUrl | None = Field(default=None, description="iss of what it signs; the public URL when left out")

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite:///./var/bandian.sqlite3")
    database_password_file: Path | None = None
    nats_url: NatsUrl | None = Field(default=None, description="NATS with JetStream, as a channel beside webhooks")
    nats_password_file: Path | None = None
    nats_prefix: NatsPrefix = Field(default="bandian", description="First part of subjects: one gateway's on a server")

    key_dir: Path = Path("var/keys")
    heads_dir: Path | None = Field(default=None, description="Heads of the record; heads beside the keys if left out")
    record_origin: Annotated[str, AfterValidator(_origin_of_record)] | None = Field(
        default=None, max_length=200, description="The record's name in checkpoints; ISSUER-HOST/record if left out"
    )
    checkpoint_every_s: float = Field(default=10, ge=0.05, le=3600, description="Pause between signed checkpoints")
    checkpoint_lag_limit_s: int | None = Field(
        default=None,
        ge=1,
        le=86400,
        description="How long an entry may be without a checkpoint before writes are refused; in development never",
    )
    witnesses: tuple[WitnessSettings, ...] = Field(default=(), description="Who co-signs checkpoints")
    time_stamps: TimeStampSettings | None = Field(
        default=None, description="Who stamps checkpoints; nobody if left out"
    )
    checkpoint_sm2_keys: Paths = Field(
        default=(), description="Files of SM2 keys that sign checkpoints too: the first signs, all are published"
    )
    generate_keys: bool | None = Field(default=None, description="Left out: in development only")
    at_rest_keys: ProviderReference | None = Field(
        default=None,
        description="Where the key is that wraps the data keys: file:PATH or env:NAME; a file beside them if left out",
    )
    at_rest_key: SecretStr | None = Field(default=None, description="That key, where env: names this variable")
    at_rest_algorithm: Algorithm = Algorithm.AES_256_GCM
    retention: RetentionSettings = RetentionSettings()
    trust_dir: Path = Path("var/trust")
    secrets_dir: Path = Field(default=Path("var/secrets"), description="One file for each secret_ref of an endpoint")
    sm2_library: str | None = Field(default=None, description="Path of a libcrypto; the system's when left out")

    sources: tuple[SourceSettings, ...] = ()
    feed_poll_s: float = Field(default=60, ge=0.5, le=3600, description="Pause between reads of a change feed")
    recheck_days: int = Field(default=7, ge=1, le=90, description="How long a certificate is not looked at again")
    identity_provider: IdentityProviderSettings | None = None
    departments: dict[Slug, dict[str, Any]] = Field(
        default_factory=dict, repr=False, description="Prefix of a department adapter to what is set for it"
    )
    review_modes: tuple[ReviewModeSettings, ...] = Field(
        default=(), description="Where permits go by commitment, filing or exemption; none elsewhere"
    )
    calendar: dict[Day, bool] = Field(
        default_factory=dict, description="Days of China and whether each is a working day, before the published ones"
    )
    calendar_complete_years: Years = Field(
        default=(), description="Years whose every departure from the plain week stands in the calendar"
    )
    type_codes: dict[Slug, Annotated[tuple[TypeCode, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="Certificate kind to the 证照类型代码 it has in this province"
    )
    status_origins: Origins = Field(
        default=(), description="Where status lists, CRLs, OCSP answers may be fetched, beside the sources themselves"
    )
    insecure_endpoint_hosts: HostNames = Field(
        default=frozenset(), description="Hosts whose endpoints may be plain http: for a network of one's own"
    )

    delivery_in_flight: int = Field(default=64, ge=1, le=1024, description="Sends at once of one process")
    delivery_per_destination: int = Field(default=16, ge=1, le=256, description="Of those, to one receiver")
    delivery_timeout_s: float = Field(default=10, ge=0.5, le=60, description="How long a receiver may take to answer")
    delivery_lease_s: float = Field(default=30, ge=2, le=600, description="After that a dead worker's events are free")
    delivery_give_up_days: float = Field(default=3, gt=0, le=30, description="Of trying; then a dead letter")
    delivery_disable_after_h: float = Field(
        default=48, gt=0, le=720, description="Of nothing but failures; then nothing is sent until it is enabled"
    )

    worker_metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the worker's /metrics and /healthz, at the host"
    )
    heartbeat_file: Path | None = Field(default=None, description="Touched while deliveries make progress")
    max_body_bytes: int = Field(default=256 * 1024, ge=16 * 1024, le=16 * 1024 * 1024)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load_settings`` read: a ``Settings(…)`` in a test does not see the machine's environment."""
        return (init_settings,)

    @property
    def in_production(self) -> bool:
        return self.mode is Mode.PRODUCTION

    @property
    def may_generate_keys(self) -> bool:
        """Whether missing signing keys are made at start."""
        return not self.in_production if self.generate_keys is None else self.generate_keys

    @property
    def data_key_directory(self) -> Path:
        """Where the data keys lie, wrapped."""
        return self.key_dir / "at-rest"

    @property
    def key_provider(self) -> str:
        """``scheme:reference`` of what wraps the data keys."""
        return self.at_rest_keys or f"file:{self.data_key_directory / 'master.key'}"

    def wrapping_key(self, variable: str) -> str | None:
        """The value of the variable that ``at_rest_keys`` names, as it was when the settings were read."""
        named = self.key_provider == f"env:{variable}" and self.at_rest_key is not None
        return self.at_rest_key.get_secret_value() if named and self.at_rest_key else None

    @property
    def head_directory(self) -> Path:
        """Where the heads of the record are kept, outside the database."""
        return self.heads_dir or self.key_dir.parent / "heads"

    @property
    def checkpoint_origin(self) -> str:
        """The name of the record in checkpoints; without a setting host and port of the issuer, and ``/record``."""
        return self.record_origin or f"{urlsplit(self.issuer_url).netloc}/record"

    @property
    def checkpoint_lag_limit(self) -> int | None:
        """Seconds, or None for none."""
        return self.checkpoint_lag_limit_s or (900 if self.in_production else None)

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.get_secret_value().startswith("sqlite")

    @property
    def base_url(self) -> str:
        """``public_url``, or the listening address in development; without a trailing slash."""
        if self.public_url is not None:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def issuer_url(self) -> str:
        return self.issuer or self.base_url

    @property
    def delivery_timeout(self) -> timedelta:
        """How long a receiver may take to answer."""
        return timedelta(seconds=self.delivery_timeout_s)

    def department_options(self) -> dict[str, dict[str, Any]]:
        """What is set for department adapters, by prefix; each adapter's own model reads its part."""
        return self.departments

    def database(self) -> str:
        """The database URL with the password of ``database_password_file`` in it. Raises ``SettingsError``."""
        url = self.database_url.get_secret_value()
        if self.database_password_file is None:
            return url
        parts = urlsplit(url)
        if self.on_sqlite or not parts.username or parts.password:
            raise SettingsError(
                f"{PREFIX}DATABASE_PASSWORD_FILE goes with a postgresql:// URL that has a user and no password; "
                f"mend {PREFIX}DATABASE_URL or remove the file setting."
            )
        password = "".join(f"%{byte:02X}" for byte in read_secret(self.database_password_file).encode())
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{address}"))

    def nats(self) -> str | None:
        """The NATS URL with the password of ``nats_password_file`` in it. Raises ``SettingsError``."""
        if self.nats_url is None or self.nats_password_file is None:
            return None if self.nats_url is None else self.nats_url.get_secret_value()
        parts = urlsplit(self.nats_url.get_secret_value())
        password = "".join(f"%{byte:02X}" for byte in read_secret(self.nats_password_file).encode())
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{parts.netloc.rpartition('@')[2]}"))


class _Variables(EnvSettingsSource):
    """Reads a given mapping, where its parent reads the process's environment."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._variables, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str)


def load_settings(env: Mapping[str, str]) -> Settings:
    """The settings that ``env`` (usually ``os.environ``) asks for. Raises ``SettingsError``."""
    _refuse_unknown(env)
    try:
        settings = Settings(**_Variables(env)())
    except UnreadableValue as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = PREFIX + (found[1].upper() if found else "…")
        raise SettingsError(f"{name} is not valid JSON; write it as docs/operations.md shows.") from None
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    scheme, _, variable = settings.key_provider.partition(":")
    if scheme == "env" and env.get(variable):
        settings = settings.model_copy(update={"at_rest_key": SecretStr(env[variable])})
    _refuse_contradictions(settings)
    if settings.in_production:
        _refuse_unfit_for_production(settings)
    return settings


def read_secret(path: Path) -> str:
    """The secret in a file, without its closing line break. Raises ``SettingsError``, also where others can read it."""
    return read_secret_lines(path, 1)[0]


def read_secret_lines(path: Path, most: int) -> tuple[str, ...]:
    """The one to ``most`` lines of a secret file: while a secret is changed, its file holds the new and the old one.

    Raises as ``read_secret`` does.
    """
    try:
        with path.open("rb") as stream:
            exposed = stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077
            data = stream.read(_MAX_SECRET_BYTES + 1)
        lines = tuple(data.decode("utf-8").rstrip("\r\n").splitlines())
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The secret file {path} cannot be read; put one line of text there.") from None
    if exposed:
        raise SettingsError(f"Others than its owner can open {path}; run: chmod 0600 {path}")
    sound = all(line and line.isprintable() for line in lines)
    if not 1 <= len(lines) <= most or len(data) > _MAX_SECRET_BYTES or not sound:
        expected = "one line" if most == 1 else f"one to {most} lines"
        raise SettingsError(f"The secret file {path} must hold {expected} of text, at most {_MAX_SECRET_BYTES} bytes.")
    return lines


def _refuse_unknown(env: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}IDENTITY_PROVIDER__{name.upper()}" for name in IdentityProviderSettings.model_fields}
    for name in sorted(env):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(TEST_PREFIX):
            continue
        if upper not in known:
            near = difflib.get_close_matches(
                upper.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], n=1
            )
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "remove it."
            raise SettingsError(f"{name} is not a setting; {hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    field, *inner = first["loc"] or ("",)
    name = PREFIX + str(field).upper()
    for step in inner:
        name += f"[{step}]" if isinstance(step, int) else f"__{step.upper()}" if "[" not in name else f".{step}"
    said = first["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return f"{name}: {said}; correct it and start again."


def _refuse_unsafe_nats(settings: Settings) -> None:
    if settings.nats_url is None:
        if settings.nats_password_file is not None:
            raise SettingsError(f"{PREFIX}NATS_PASSWORD_FILE goes with {PREFIX}NATS_URL; set both or neither.")
        return
    parts = urlsplit(settings.nats_url.get_secret_value())
    if settings.nats_password_file is not None and (not parts.username or parts.password):
        raise SettingsError(
            f"{PREFIX}NATS_PASSWORD_FILE goes with a {PREFIX}NATS_URL that has a user and no password; mend one."
        )
    known = {"127.0.0.1", "::1", "localhost", *settings.insecure_endpoint_hosts}
    if settings.in_production and parts.scheme != "tls" and parts.hostname not in known:
        raise SettingsError(
            f"{PREFIX}NATS_URL goes over the network without TLS; write it as tls://, or name the host in "
            f"{PREFIX}INSECURE_ENDPOINT_HOSTS where that network is your own."
        )


def _refuse_contradictions(settings: Settings) -> None:
    _refuse_unsafe_nats(settings)
    if settings.issuer is not None and _origin(settings.issuer) != _origin(settings.base_url):
        raise SettingsError(
            f"{PREFIX}ISSUER and {PREFIX}PUBLIC_URL name different hosts, so that partners could not find the keys; "
            f"remove {PREFIX}ISSUER or give both the same host."
        )
    if settings.on_sqlite and settings.processes > 1:
        raise SettingsError(
            f"SQLite has one writer, and {PREFIX}PROCESSES asks for several; set it to 1 or set "
            f"{PREFIX}DATABASE_URL to a postgresql:// database."
        )
    if settings.delivery_lease_s < 2 * settings.delivery_timeout_s:
        raise SettingsError(
            f"{PREFIX}DELIVERY_LEASE_S must be at least twice {PREFIX}DELIVERY_TIMEOUT_S, because a worker may "
            "ask and then send; lengthen the lease or shorten the time-out."
        )
    if settings.delivery_disable_after_h >= 24 * settings.delivery_give_up_days:
        raise SettingsError(
            f"{PREFIX}DELIVERY_DISABLE_AFTER_H must be shorter than {PREFIX}DELIVERY_GIVE_UP_DAYS, so that "
            "the events of a receiver that is down wait instead of being given up; shorten it."
        )
    codes = [(source.code, source.region) for source in settings.sources]
    if len(set(codes)) != len(codes):
        raise SettingsError(f"{PREFIX}SOURCES lists a code twice for one region; keep one entry for each.")
    for source in settings.sources:
        if (source.access_secret is None) == (source.access_secret_file is None):
            raise SettingsError(
                f"{PREFIX}SOURCES: {source.code} needs exactly one of access_secret_file and access_secret."
            )


def _refuse_unfit_for_production(settings: Settings) -> None:
    if settings.public_url is None:
        raise SettingsError(f"In production {PREFIX}PUBLIC_URL must say how partners reach the gateway; set it.")
    if settings.generate_keys:
        raise SettingsError(
            f"In production signing keys are never generated at start; unset {PREFIX}GENERATE_KEYS and put the keys "
            f"into {PREFIX}KEY_DIR."
        )
    if settings.at_rest_keys is None:
        raise SettingsError(
            f"In production {PREFIX}AT_REST_KEYS must say where the key is that wraps the data keys, as file:PATH or "
            "env:NAME; set it."
        )
    if settings.insecure_endpoint_hosts:
        raise SettingsError(f"In production webhooks go over https alone; unset {PREFIX}INSECURE_ENDPOINT_HOSTS.")
    if settings.on_sqlite and not settings.embedded_worker:
        raise SettingsError(
            f"In production SQLite serves one process, and {PREFIX}EMBEDDED_WORKER=false asks for a second; set it to "
            f"true or set {PREFIX}DATABASE_URL to a postgresql:// database."
        )
    if settings.log_level == "debug":
        raise SettingsError(f"In production {PREFIX}LOG_LEVEL=debug says too much; set it to info.")
    if any(source.access_secret is not None for source in settings.sources):
        raise SettingsError(
            f"In production an access secret does not stand in {PREFIX}SOURCES; put it into a file and name it as "
            "access_secret_file."
        )
    for name, url in _addresses(settings):
        if urlsplit(url).scheme != "https":
            raise SettingsError(f"In production {name} must be an https address; change it to one.")
        if _is_loopback(urlsplit(url).hostname or ""):
            raise SettingsError(f"In production {name} must not be a loopback address; name the real host.")


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    named = [(f"{PREFIX}PUBLIC_URL", settings.base_url), (f"{PREFIX}ISSUER", settings.issuer_url)]
    if settings.identity_provider is not None:
        named.append((f"{PREFIX}IDENTITY_PROVIDER__ISSUER", settings.identity_provider.issuer))
    named += [(f"{PREFIX}WITNESSES", each.url) for each in settings.witnesses]
    named += [(f"{PREFIX}STATUS_ORIGINS", origin) for origin in settings.status_origins]
    return named + [(f"{PREFIX}SOURCES[{source.code}].url", source.url) for source in settings.sources]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
