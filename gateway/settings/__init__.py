"""Settings: the only reader of the environment. Every variable starts with ``BANDIAN_``.

Defaults are safe and make a development gateway on this machine alone. A dangerous or contradictory setting refuses
the start with one sentence that says how to mend it; no sentence ever quotes a value, because values may be secret.
"""

from gateway.settings.errors import PREFIX, SettingsError
from gateway.settings.model import Settings
from gateway.settings.province import (
    IdentityProviderSettings,
    OfficerProviderSettings,
    ReviewModeSettings,
    SourceSettings,
)
from gateway.settings.reading import TEST_PREFIX, load_settings
from gateway.settings.record import RetentionSettings, TimeStampSettings, WitnessSettings
from gateway.settings.secret_files import read_secret, read_secret_lines
from gateway.settings.serving import Mode

__all__ = [
    "PREFIX",
    "TEST_PREFIX",
    "IdentityProviderSettings",
    "Mode",
    "OfficerProviderSettings",
    "RetentionSettings",
    "ReviewModeSettings",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "TimeStampSettings",
    "WitnessSettings",
    "load_settings",
    "read_secret",
    "read_secret_lines",
]
