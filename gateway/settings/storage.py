"""The database."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, SecretStr

from gateway.settings.errors import PREFIX, SettingsError
from gateway.settings.part import Part
from gateway.settings.secret_files import read_secret


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    scheme = text.split(":", 1)[0].split("+", 1)[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    if scheme == "sqlite" and (not re.match(r"sqlite(\+\w+)?:///.", text) or ":memory:" in text):
        raise ValueError("must name a file, as sqlite:///./var/bandian.sqlite3 does; a database in memory is lost")
    return url


class StorageSettings(Part):
    """SQLite by default, PostgreSQL by its address."""

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite:///./var/bandian.sqlite3")
    database_password_file: Path | None = None

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.get_secret_value().startswith("sqlite")

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
