"""How applicants are told."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.settings.part import Part
from gateway.settings.secret_files import read_secret
from gateway.settings.types import HttpUrl

SecretRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class MailSettings(Part):
    """A mail server, and the address that notices come from."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    sender: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    user: str | None = None
    password_file: Path | None = None
    starttls: bool = True

    def password(self) -> str:
        """Read at each use. Raises ``SettingsError``."""
        return "" if self.password_file is None else read_secret(self.password_file)


class MessagePlatformSettings(Part):
    """A province's message platform, and the file of ``secrets_dir`` with the secret shared with it."""

    url: HttpUrl
    secret_ref: SecretRef


class NoticeSettings(Part):
    """Notices, when a deadline is near, and the ways to tell somebody."""

    notice_near_working_days: int = Field(
        default=1, ge=1, le=10, description="Working days before a stage's due day from which its applicant is reminded"
    )
    notice_mail: MailSettings | None = None
    notice_platform: MessagePlatformSettings | None = None
    notice_give_up_days: float = Field(default=2, gt=0, le=30, description="Of trying to send; then it is dead")
