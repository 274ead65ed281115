"""The tamper-evident record, and how long what stands beside it is kept."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.records.notes import COSIGNATURE_TYPE, VerifierKey, is_key_name, parse_vkey
from gateway.settings.keys import KeySettings
from gateway.settings.part import Part
from gateway.settings.types import HttpUrl, Paths


def _origin_of_record(text: str) -> str:
    if not is_key_name(text):
        raise ValueError("must have neither spaces nor a plus sign, as gateway.example/record has none")
    return text


def _witness_key(text: str) -> str:
    if parse_vkey(text).type != COSIGNATURE_TYPE:  # NoteInvalid is a ValueError
        raise ValueError("must be a cosignature key (C2SP type 04)")
    return text


class WitnessSettings(Part):
    """A service that co-signs checkpoints of the record (C2SP tlog-witness), at its submission prefix."""

    url: HttpUrl
    keys: tuple[Annotated[str, AfterValidator(_witness_key)], ...] = Field(
        min_length=1, max_length=4, description="Its verifier keys (vkey, type 04), all of one name"
    )

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(parse_vkey(text) for text in self.keys)


class TimeStampSettings(Part):
    """An authority that stamps checkpoints of the record (RFC 3161), and the PEM file of whom it must lead to."""

    url: HttpUrl
    anchors: Path
    every_s: int = Field(default=3600, ge=10, le=86400 * 7)


class RetentionSettings(Part):
    """How many days things, personal data above all, are kept after what ``gateway.retention.policies`` names."""

    parties_days: int = Field(default=180, ge=0, le=3660)
    withdrawn_parties_days: int = Field(default=30, ge=0, le=3660)
    deliveries_days: int = Field(default=90, ge=1, le=3660)
    undelivered_days: int = Field(default=365, ge=4, le=3660, description="Deliveries are tried for three days")
    project_contacts_days: int = Field(default=30, ge=0, le=3660)
    silent_projects_days: int = Field(default=730, ge=1, le=3660)
    outages_days: int = Field(default=365, ge=1, le=3660)
    capacities_days: int = Field(default=365, ge=1, le=3660)


class RecordSettings(KeySettings):
    """Heads, checkpoints and who vouches for them; retention. Defaults follow from issuer, mode and key directory."""

    heads_dir: Path | None = Field(default=None, description="Heads of the record; heads beside the keys if left out")
    record_origin: Annotated[str, AfterValidator(_origin_of_record)] | None = Field(
        default=None, max_length=200, description="The record's name in checkpoints; ISSUER-HOST/record if left out"
    )
    checkpoint_every_s: float = Field(default=10, ge=0.05, le=3600, description="Pause between signed checkpoints")
    checkpoint_lease_s: float = Field(
        default=30, ge=1, le=3600, description="How long no other process signs checkpoints after one did"
    )
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
    retention: RetentionSettings = RetentionSettings()

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
