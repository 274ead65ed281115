"""Notices by e-mail: plain text over SMTP with STARTTLS, and nobody's name in it."""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from adapters.channels.posting import not_delivered
from gateway.delivery.errors import DeliveryRefused
from gateway.errors import Owner
from gateway.notices.words import Message

TIMEOUT_S = 20


@dataclass(frozen=True)
class EmailChannel:
    """``password`` is read at each use, so that it can be changed beside a running process."""

    host: str
    port: int
    sender: str
    user: str | None
    password: Callable[[], str]
    starttls: bool

    async def send(self, key: str, address: str, message: Message, at: datetime) -> None:
        """See ``NoticeChannel.send``. The message id comes from ``key``: sent twice, a reader shows it once."""
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.sender, address, message.subject
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{sha256(key.encode()).hexdigest()[:32]}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        await asyncio.to_thread(self._hand_over, mail)

    def _hand_over(self, mail: EmailMessage) -> None:
        # Neither an address nor a server's text, which may quote it, is in what is raised.
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S) as server:
                if self.starttls:
                    server.starttls(context=ssl.create_default_context())
                if self.user is not None:
                    server.login(self.user, self.password())
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _failure(max(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPSenderRefused as error:
            raise not_delivered("email", self.host, f"sender_{error.smtp_code}", "请检查发件地址") from None
        except smtplib.SMTPDataError as error:
            raise _failure(error.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            raise not_delivered("email", self.host, type(error).__name__, "请检查邮件服务器与网络") from None


def _failure(code: int) -> Exception:
    if code >= 500:
        return DeliveryRefused(
            check=f"email.status_{code}", owner=Owner.APPLICANT, remedy="请核对电子邮箱", partner="email", status=code
        )
    return not_delivered("email", "email", f"status_{code}", "邮件服务器暂未接收，稍后再试")
