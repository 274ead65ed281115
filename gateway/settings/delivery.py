"""How events reach their receivers."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from gateway.settings.part import Part
from gateway.settings.secret_files import read_secret
from gateway.settings.types import HostNames, NatsPrefix, NatsUrl


class DeliverySettings(Part):
    """Channels, and the relay's bounds and patience."""

    nats_url: NatsUrl | None = Field(default=None, description="NATS with JetStream, as a channel beside webhooks")
    nats_password_file: Path | None = None
    nats_prefix: NatsPrefix = Field(default="bandian", description="First part of subjects: one gateway's on a server")
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

    @property
    def delivery_timeout(self) -> timedelta:
        """How long a receiver may take to answer."""
        return timedelta(seconds=self.delivery_timeout_s)

    def nats(self) -> str | None:
        """The NATS URL with the password of ``nats_password_file`` in it. Raises ``SettingsError``."""
        if self.nats_url is None or self.nats_password_file is None:
            return None if self.nats_url is None else self.nats_url.get_secret_value()
        parts = urlsplit(self.nats_url.get_secret_value())
        password = "".join(f"%{byte:02X}" for byte in read_secret(self.nats_password_file).encode())
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{parts.netloc.rpartition('@')[2]}"))
