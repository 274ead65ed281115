"""Who and what there is in this province: sources, identity provider, departments, calendar, its own rules."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr

from gateway.settings.errors import PREFIX, SettingsError
from gateway.settings.part import Part
from gateway.settings.secret_files import read_secret
from gateway.settings.types import HttpUrl, Origins, TypeCode, Years
from schemas.departments import ReviewMode
from schemas.wire import Day, PartnerCode, RegionDigits, Slug


class SourceSettings(Part):
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


class IdentityProviderSettings(Part):
    """The OpenID Connect provider that verifies applicants (统一身份认证)."""

    issuer: HttpUrl
    client_id: str = Field(default="bandian", min_length=1, max_length=200)


class OfficerProviderSettings(Part):
    """The OpenID Connect provider that signs in officers of the console; ``roles_claim`` names the claim with roles."""

    issuer: HttpUrl
    client_id: str = Field(default="bandian-console", min_length=1, max_length=200)
    roles_claim: str = Field(default="roles", min_length=1, max_length=100)


class ReviewModeSettings(Part):
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


class ProvinceSettings(Part):
    """What differs from province to province."""

    sources: tuple[SourceSettings, ...] = ()
    feed_poll_s: float = Field(default=60, ge=0.5, le=3600, description="Pause between reads of a change feed")
    recheck_days: int = Field(default=7, ge=1, le=90, description="How long a certificate is not looked at again")
    identity_provider: IdentityProviderSettings | None = None
    officer_provider: OfficerProviderSettings | None = Field(
        default=None, description="Who signs in officers of the console; nobody can if left out"
    )
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
    purge_working_days: int = Field(
        default=5, ge=1, le=60, description="Working days after a withdrawal until the utility confirms its purge"
    )
    rating_days: int = Field(default=30, ge=1, le=365, description="Days after its end that a service can be rated")
    rating_answer_working_days: int = Field(
        default=15, ge=1, le=60, description="Working days in which a bad rating is to be answered"
    )
    status_origins: Origins = Field(
        default=(), description="Where status lists, CRLs, OCSP answers may be fetched, beside the sources themselves"
    )

    def department_options(self) -> dict[str, dict[str, Any]]:
        """What is set for department adapters, by prefix; each adapter's own model reads its part."""
        return self.departments
