"""The limit of the progress page: whose session, whose application, and a page of the same bytes."""

from typing import Any

from tests.bench.hot.limit_record import Record
from tests.bench.hot.limit_sessions import AtRest
from tests.bench.hot.wire import Reply, answer, header_value


class ProgressLimit:
    """Three rows are read and opened for each page: session, application, authorisation."""

    def __init__(self, work: dict[str, Any], record: Record) -> None:
        self._at_rest = AtRest(record)
        self._at_rest.put_at_start(work["kept"])
        self._cookie = work["cookie"].encode() + b"="
        self._parts: dict[str, list[str]] = {key: page.split(key) for key, page in work["pages"].items()}

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        path = head[4 : head.index(b" ", 4)]
        application_id = path.rpartition(b"/")[2].decode()
        holder = self._at_rest.session(header_value(head, b"cookie").removeprefix(self._cookie))["holder"]
        application = self._at_rest.find("applications", application_id)
        assert application["holder"] == holder
        assert self._at_rest.find("authorisations", application_id)
        page = application_id.join(self._parts[application_id])
        reply(answer("200 OK", "text/html; charset=utf-8", page.encode()))
