"""Every way of telling hands a message over, says what may be tried again, and names nobody where it fails."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.channels.posting import Outgoing, Poster
from adapters.notice_channels.console import ConsoleChannel
from adapters.notice_channels.email import EmailChannel
from adapters.notice_channels.platform import PlatformChannel
from gateway.delivery.errors import DeliveryRefused
from gateway.errors import PartnerUnavailable
from gateway.notices.ports import NoticeChannel
from gateway.notices.words import Message
from tests.support.storage import NOON
from tests.support.tiny_mail import tiny_mail
from tests.support.tiny_server import Answer, tiny_server
from tests.support.tiny_tls import tls_server

SECRET = b"s" * 32
SAID = Message("用电报装申请有新进展", "受理编号 app_1：申请已受理。\n")


@dataclass
class Way:
    """A channel, whom it is to reach, and its other side."""

    channel: NoticeChannel
    address: str
    taken: Callable[[], list[tuple[str, str, str, str]]]
    """Address, key as it went along, subject and text."""
    busy: Callable[[], None]
    refuses: Callable[[], None]


@pytest.fixture(params=["email", "platform"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    with ExitStack() as stack:
        if request.param == "email":
            mail = stack.enter_context(tiny_mail())

            def read() -> list[tuple[str, str, str, str]]:
                told = [(to, message_from_bytes(raw, policy=default)) for to, raw in mail.taken]
                return [(to, each["Message-ID"], each["Subject"], each.get_content()) for to, each in told]

            channel = EmailChannel("127.0.0.1", mail.port, "notice@gateway.example", None, str, starttls=False)
            busy = lambda: setattr(mail, "on_recipient", "451 later")  # noqa: E731
            refuses = lambda: setattr(mail, "on_recipient", "550 nobody of that name")  # noqa: E731
            yield Way(channel, "somebody@example.com", read, busy, refuses)
            return
        server = stack.enter_context(tiny_server(lambda _: Answer(202, {})))

        def asked() -> list[tuple[str, str, str, str]]:
            bodies = [(each.headers["webhook-id"], json.loads(each.body)) for each in server.asked]
            return [(body["to"], key, body["subject"], body["text"]) for key, body in bodies]

        outgoing = Outgoing()
        poster = Poster(outgoing, "notice", frozenset({"127.0.0.1"}))
        answers = lambda status: setattr(server, "respond", lambda _: Answer(status, {}))  # noqa: E731
        channel = PlatformChannel(poster, server.url, lambda: (SECRET,))
        try:
            yield Way(channel, "13800000000", asked, lambda: answers(503), lambda: answers(422))
        finally:
            outgoing.close()


async def test_a_message_arrives_and_sent_again_it_is_known_by_the_same_key(way: Way) -> None:
    for key in ("log/1", "log/1", "log/2"):
        await way.channel.send(key, way.address, SAID, NOON)
    taken = way.taken()
    assert {(to, subject, text.replace("\r\n", "\n")) for to, _, subject, text in taken} == {
        (way.address, SAID.subject, SAID.body)
    }
    keys = [key for _, key, _, _ in taken]
    assert keys[0] == keys[1] != keys[2]


async def test_who_is_busy_is_asked_again_and_who_refuses_is_not(way: Way) -> None:
    way.busy()
    with pytest.raises(PartnerUnavailable) as later:
        await way.channel.send("log/1", way.address, SAID, NOON)
    way.refuses()
    with pytest.raises(DeliveryRefused) as never:
        await way.channel.send("log/1", way.address, SAID, NOON)
    for raised in (later.value, never.value):
        assert way.address not in repr(vars(raised))


async def test_a_server_that_is_not_there_is_asked_again(unused_tcp_port: int) -> None:
    channel = EmailChannel("127.0.0.1", unused_tcp_port, "notice@gateway.example", None, str, starttls=False)
    with pytest.raises(PartnerUnavailable):
        await channel.send("log/1", "somebody@example.com", SAID, NOON)


async def test_a_server_without_tls_is_given_nothing() -> None:
    with tiny_mail() as mail:
        channel = EmailChannel("127.0.0.1", mail.port, "notice@gateway.example", None, str, starttls=True)
        with pytest.raises(PartnerUnavailable):
            await channel.send("log/1", "somebody@example.com", SAID, NOON)
    assert mail.taken == []


LOGIN = ("notice", "a password of the mail server")


async def test_over_tls_it_logs_in_with_the_password_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = tls_server(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    password = tmp_path / "password"
    password.write_text(LOGIN[1])
    with tiny_mail(context, LOGIN) as mail:
        channel = EmailChannel(
            "localhost", mail.port, "notice@gateway.example", LOGIN[0], password.read_text, starttls=True
        )
        await channel.send("log/1", "somebody@example.com", SAID, NOON)
        mail.login = (LOGIN[0], "another")
        with pytest.raises(PartnerUnavailable) as refused:
            await channel.send("log/2", "somebody@example.com", SAID, NOON)
        password.write_text("another")
        await channel.send("log/2", "somebody@example.com", SAID, NOON)
    assert [to for to, _ in mail.taken] == ["somebody@example.com"] * 2
    assert mail.over_tls == [True, True]
    assert [user for user, _ in mail.tried] == [LOGIN[0]] * 3
    told = f"{refused.value} {vars(refused.value)}"
    assert not any(secret in told for secret in (*LOGIN, "somebody"))


@pytest.mark.parametrize(("certificate", "trusts"), [("localhost", False), ("mail.elsewhere.example", True)])
async def test_nobody_logs_in_at_a_server_that_is_not_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, trusts: bool
) -> None:
    """Its certificate comes from nobody who is trusted, or is for another host."""
    context, trusted = tls_server(tmp_path, certificate)
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with tiny_mail(context, LOGIN) as mail:
        channel = EmailChannel(
            "localhost", mail.port, "notice@gateway.example", LOGIN[0], lambda: LOGIN[1], starttls=True
        )
        with pytest.raises(PartnerUnavailable):
            await channel.send("log/1", "somebody@example.com", SAID, NOON)
    assert (mail.tried, mail.taken) == ([], [])


async def test_a_developers_screen_shows_the_subject_and_nothing_else() -> None:
    channel: NoticeChannel = ConsoleChannel()
    with capture_logs() as shown:
        await channel.send("log/1", "13800000000", SAID, NOON)
    assert shown == [{"event": "notice.shown", "log_level": "info", "notice": "log/1", "subject": SAID.subject}]


async def test_a_platform_can_tell_who_sent_it() -> None:
    outgoing = Outgoing()
    try:
        with tiny_server(lambda _: Answer(202, {})) as server:
            poster = Poster(outgoing, "notice", frozenset({"127.0.0.1"}))
            await PlatformChannel(poster, server.url, lambda: (SECRET,)).send("log/1", "13800000000", SAID, NOON)
            with pytest.raises(PartnerUnavailable):
                await PlatformChannel(poster, server.url, tuple).send("log/1", "13800000000", SAID, NOON)
    finally:
        outgoing.close()
    (asked,) = server.asked
    head = asked.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + asked.body
    expected = "v1," + base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
    assert head["webhook-signature"] == expected
