"""All areas together."""

# ruff: noqa: ARG003 - settings_customise_sources has its parent's parameters

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.settings.delivery import DeliverySettings
from gateway.settings.errors import PREFIX
from gateway.settings.notices import NoticeSettings
from gateway.settings.province import ProvinceSettings
from gateway.settings.record import RecordSettings
from gateway.settings.storage import StorageSettings


class Settings(DeliverySettings, NoticeSettings, ProvinceSettings, RecordSettings, StorageSettings, BaseSettings):
    """What ``load_settings`` answers; frozen, and no secret shows in its repr.

    Serving and keys come with the record, whose defaults rest on them.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True,
        hide_input_in_errors=True,
    )  # fmt: skip

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
