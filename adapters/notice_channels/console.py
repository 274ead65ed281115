"""Notices on a developer's screen, in place of a platform. It never shows whom they would go to."""

from datetime import datetime

import structlog

from gateway.notices.words import Message

log = structlog.get_logger()


class ConsoleChannel:
    """One log line for each: its subject alone, because logs hold nobody's affairs."""

    async def send(self, key: str, address: str, message: Message, at: datetime) -> None:
        """See ``NoticeChannel.send``."""
        log.info("notice.shown", notice=key, subject=message.subject)
