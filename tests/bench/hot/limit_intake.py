"""The limit of an intake: certificates verified and shown, then application, record and outbox in one commit."""

import base64
import hashlib
import secrets
from typing import Any

import orjson

from tests.bench.hot.limit_record import Record
from tests.bench.hot.limit_seals import Seals
from tests.bench.hot.limit_sessions import AtRest
from tests.bench.hot.wire import Reply, answer, header_value

_CREATED, _JSON = "201 Created", "application/json"


class IntakeLimit:
    """Three requests: begun, shown, confirmed. What is created is answered once for its idempotency key."""

    def __init__(self, work: dict[str, Any], record: Record) -> None:
        self._record = record
        self._at_rest = AtRest(record)
        self._at_rest.put_at_start(work["kept"])
        self._seals = Seals([base64.b64decode(each) for each in work["anchors"]], base64.b64decode(work["statuses"]))
        self._view, self._opened, self._accepted = work["view"], work["opened"], work["accepted"]
        self._entries: dict[str, dict[str, Any]] = work["entries"]
        self._padding: dict[str, str] = {table: "x" * size for table, size in work["sizes"].items()}

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        session = self._at_rest.session(header_value(head, b"authorization").removeprefix(b"Bearer "))
        path = head[head.index(b" ") + 1 : head.index(b" HTTP/")].decode()
        _, _, of, intake_id, *rest = path.split("/")
        assert of == "intakes"
        if rest:
            self._confirm(session, intake_id, orjson.loads(body), self._once(head, body), reply)
        elif head.startswith(b"GET "):
            reply(answer("200 OK", _JSON, orjson.dumps(self._own(session, intake_id)["view"])))
        else:
            self._begin(session, orjson.loads(body), self._once(head, body), reply)

    def _begin(self, session: Any, demand: Any, once: str, reply: Reply) -> None:
        for envelope in self._at_rest.find("copies", session["holder"])["envelopes"]:
            assert self._seals.verified(envelope.encode())["certificate"]
        intake_id = f"int_{secrets.token_hex(16)}"
        opened = {**self._opened, "intake_id": intake_id, "href": f"/v1/intakes/{intake_id}"}
        intake = {
            "holder": session["holder"],
            "demand": demand,
            "view": {**self._view, "intake_id": intake_id},
            "more": self._padding["intakes"],
        }
        self._record.append(self._entries["previewed"], intake_id)
        self._answer(opened, once, reply, [("intakes", intake_id, self._at_rest.seal(orjson.dumps(intake)))])

    def _confirm(self, session: Any, intake_id: str, confirmation: Any, once: str, reply: Reply) -> None:
        intake = self._own(session, intake_id)
        assert confirmation["authorise"]
        application_id = f"app_{secrets.token_hex(16)}"
        made = {"holder": intake["holder"], "demand": intake["demand"], "more": self._padding["applications"]}
        told = {"application_id": application_id, "more": self._padding["outbox"]}
        self._record.append(self._entries["authorised"], application_id)
        record_id = self._record.append(self._entries["submitted"], application_id)
        accepted = {**self._accepted, "application_id": application_id, "record_id": record_id}
        changes = [
            ("intakes", intake_id, None),
            ("applications", application_id, self._at_rest.seal(orjson.dumps(made))),
            ("authorisations", application_id, self._at_rest.seal(orjson.dumps(confirmation))),
            ("outbox", application_id, self._at_rest.seal(orjson.dumps(told))),
        ]
        self._answer(accepted, once, reply, changes)

    def _answer(self, said: Any, once: str, reply: Reply, changes: list[tuple[str, str, bytes | None]]) -> None:
        """With the answer under its key, in the same commit."""
        body = orjson.dumps(said)
        kept = ("idempotency", once, self._at_rest.seal(body))
        self._record.committed(lambda: reply(answer(_CREATED, _JSON, body)), [*changes, kept])

    def _own(self, session: Any, intake_id: str) -> Any:
        intake = self._at_rest.find("intakes", intake_id)
        assert intake["holder"] == session["holder"]
        return intake

    @staticmethod
    def _once(head: bytes, body: bytes) -> str:
        return hashlib.sha256(header_value(head, b"idempotency-key") + body).hexdigest()
