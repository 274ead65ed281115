"""The ways to tell an applicant that the settings give."""

from adapters.channels.posting import Outgoing, Poster
from adapters.channels.signed_events import parse_secret
from adapters.notice_channels.console import ConsoleChannel
from adapters.notice_channels.platform import PlatformChannel
from gateway.notices.ports import NoticeChannel
from gateway.notices.preferences import Way
from gateway.partners.errors import PartnerTermsRejected
from gateway.partners.terms import check_endpoint_url
from gateway.settings import Settings, SettingsError, read_secret_lines


def notice_ways(settings: Settings) -> frozenset[Way]:
    """What an applicant may choose from."""
    mail = {Way.EMAIL} if settings.notice_mail is not None else set()
    return frozenset(mail | ({Way.PLATFORM} if settings.notice_platform or not settings.in_production else set()))


def notice_channels(settings: Settings, outgoing: Outgoing) -> dict[Way, NoticeChannel]:
    """A channel for each of ``notice_ways``. Raises ``SettingsError`` for a platform that no message may go to."""
    found: dict[Way, NoticeChannel] = {}
    mail, platform = settings.notice_mail, settings.notice_platform
    if mail is not None:
        from adapters.notice_channels.email import EmailChannel  # Python's mail is large, and most send none

        found[Way.EMAIL] = EmailChannel(
            mail.host, mail.port, mail.sender, mail.user, mail.password, starttls=mail.starttls
        )
    if platform is not None:
        try:
            check_endpoint_url(platform.url, insecure_hosts=settings.insecure_endpoint_hosts)
        except PartnerTermsRejected as error:
            raise SettingsError(f"BANDIAN_NOTICE_PLATFORM: {error.remedy}") from None
        path = settings.secrets_dir / platform.secret_ref

        def secrets() -> tuple[bytes, ...]:
            return tuple(parse_secret(line) for line in read_secret_lines(path, 2)) if path.is_file() else ()

        poster = Poster(outgoing, "notice", settings.insecure_endpoint_hosts)
        found[Way.PLATFORM] = PlatformChannel(poster, platform.url, secrets)
    elif Way.PLATFORM in notice_ways(settings):
        found[Way.PLATFORM] = ConsoleChannel()
    return found
