"""Where keys, trust and secrets lie."""

from pathlib import Path

from pydantic import Field, SecretStr

from gateway.crypto.aead import Algorithm
from gateway.settings.serving import ServingSettings
from gateway.settings.types import ProviderReference


class KeySettings(ServingSettings):
    """Signing keys, what rests sealed, trust anchors, secrets of endpoints; the mode tells what is made at start."""

    key_dir: Path = Path("var/keys")
    generate_keys: bool | None = Field(default=None, description="Left out: in development only")
    at_rest_keys: ProviderReference | None = Field(
        default=None,
        description="Where the key is that wraps the data keys: file:PATH or env:NAME; a file beside them if left out",
    )
    at_rest_key: SecretStr | None = Field(default=None, description="That key, where env: names this variable")
    at_rest_algorithm: Algorithm = Algorithm.AES_256_GCM
    trust_dir: Path = Path("var/trust")
    secrets_dir: Path = Field(default=Path("var/secrets"), description="One file for each secret_ref of an endpoint")
    sm2_library: str | None = Field(default=None, description="Path of a libcrypto; the system's when left out")

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
