"""A small mail server in a thread: takes what it is sent, or answers as it is told; with STARTTLS and a login."""

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class TinyMail:
    """``on_recipient`` is the answer to RCPT; ``taken`` holds every message, recipients first.

    ``login`` is the user and password that it wants; ``over_tls`` says of each message whether it came so, ``tried``
    holds what was given as a login.
    """

    port: int = 0
    on_recipient: str = "250 ok"
    login: tuple[str, str] | None = None
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def tiny_mail(tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> Iterator[TinyMail]:
    """Serve SMTP on a free loopback port until the block ends; with ``tls`` it offers STARTTLS."""
    mail = TinyMail(login=login)

    class Handler(socketserver.StreamRequestHandler):
        secured = False
        known = False

        def say(self, *lines: str) -> None:
            told = [line if line is lines[-1] else line[:3] + "-" + line[4:] for line in lines]
            self.wfile.write("".join(f"{line}\r\n" for line in told).encode())

        def secure(self) -> None:
            assert tls is not None
            self.say("220 go on")
            self.connection = self.request = tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
            self.secured = True

        def handle(self) -> None:
            self.say("220 tiny")
            # A client that does not trust us is gone in the middle of a word.
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                self.talk()

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def talk(self) -> None:
            to = ""
            while line := self.rfile.readline().decode().strip():
                match line.upper().split(" ")[0].split(":")[0]:
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case "EHLO" if tls is not None and not self.secured:
                        self.say("250 tiny", "250 STARTTLS")
                    case "EHLO" if mail.login is not None:
                        self.say("250 tiny", "250 AUTH PLAIN")
                    case "STARTTLS" if tls is not None:
                        self.secure()
                    case "AUTH":
                        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                        mail.tried.append((user, password))
                        self.known = (user, password) == mail.login
                        self.say("235 welcome" if self.known else "535 who is that")
                    case "RCPT":
                        to = line.partition("<")[2].partition(">")[0]
                        self.say(mail.on_recipient if self.known or mail.login is None else "530 log in first")
                    case "DATA":
                        self.say("354 go on")
                        lines = []
                        while (read := self.rfile.readline()) != b".\r\n":
                            lines.append(read)
                        mail.taken.append((to, b"".join(lines)))
                        mail.over_tls.append(self.secured)
                        self.say("250 taken")
                    case _:
                        self.say("250 ok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield mail
        server.shutdown()
        thread.join(5)
