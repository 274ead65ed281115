"""How the processes run, and where they are reached."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from gateway.settings.part import Part
from gateway.settings.types import HttpUrl, Networks


class Mode(StrEnum):
    """``production`` refuses what is only fit for one's own machine."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class ServingSettings(Part):
    """The serving process and the worker."""

    mode: Mode = Mode.DEVELOPMENT
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8080, ge=0, le=65535)
    processes: int = Field(default=1, ge=1, le=64)
    embedded_worker: bool = Field(default=True, description="Deliver from the serving process, without a worker")
    drain_s: float = Field(default=0, ge=0, le=120, description="Not ready for so long before it stops (SIGTERM)")
    trusted_proxies: Networks = Field(default=(), description="Whose X-Forwarded-For and -Proto are believed")
    partner_rate_limit: int = Field(default=6000, ge=60, le=1_000_000, description="Requests a minute of one partner")
    intake_rate_limit: int | None = Field(
        default=None, ge=1, le=6000, description="Intakes a minute of one holder; twenty an hour when left out"
    )
    token_rate_limit: int = Field(
        default=1200, ge=1, le=1_000_000, description="Access tokens a minute that one address may ask for"
    )
    evidence_rate_limit: int = Field(
        default=30, ge=1, le=6000, description="Evidence bundles a minute that one address may ask for"
    )
    public_url: HttpUrl | None = Field(default=None, description="How others reach the gateway")
    issuer: HttpUrl | None = Field(default=None, description="iss of what it signs; the public URL when left out")
    worker_metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the worker's /metrics and /healthz, at the host"
    )
    heartbeat_file: Path | None = Field(default=None, description="Touched while deliveries make progress")
    max_body_bytes: int = Field(default=256 * 1024, ge=16 * 1024, le=16 * 1024 * 1024)

    @property
    def in_production(self) -> bool:
        return self.mode is Mode.PRODUCTION

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
