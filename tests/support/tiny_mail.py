"""A small mail server in a thread: takes what it is sent, or answers as it is told."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class TinyMail:
    """``on_recipient`` is the answer to RCPT; ``taken`` holds every message, recipients first."""

    port: int = 0
    on_recipient: str = "250 ok"
    taken: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def tiny_mail() -> Iterator[TinyMail]:
    """Serve SMTP without TLS on a free loopback port until the block ends."""
    mail = TinyMail()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 tiny")
            to = ""
            while line := self.rfile.readline().decode().strip():
                match line.upper().split(" ")[0].split(":")[0]:
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case "RCPT":
                        to = line.partition("<")[2].partition(">")[0]
                        self.say(mail.on_recipient)
                    case "DATA":
                        self.say("354 go on")
                        lines = []
                        while (read := self.rfile.readline()) != b".\r\n":
                            lines.append(read)
                        mail.taken.append((to, b"".join(lines)))
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
