"""From variables to settings: what is unknown or unreadable refuses the start, in one sentence."""

import difflib
import re
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as UnreadableValue
from pydantic_settings.sources.utils import parse_env_vars

from gateway.settings.errors import PREFIX, SettingsError
from gateway.settings.model import Settings
from gateway.settings.province import IdentityProviderSettings, OfficerProviderSettings
from gateway.settings.refusals import refuse_contradictions, refuse_unfit_for_production

TEST_PREFIX: Final = "BANDIAN_TEST_"
"""Variables of the test suite share the environment and mean nothing here."""


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
    refuse_contradictions(settings)
    if settings.in_production:
        refuse_unfit_for_production(settings)
    return settings


def _refuse_unknown(env: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}IDENTITY_PROVIDER__{name.upper()}" for name in IdentityProviderSettings.model_fields}
    known |= {f"{PREFIX}OFFICER_PROVIDER__{name.upper()}" for name in OfficerProviderSettings.model_fields}
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
