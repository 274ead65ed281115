"""The limit of a verified licence that is fetched: the source's two requests, and the certificate verified."""

import base64
import hashlib
import hmac
import time
from typing import Any

import orjson

from tests.bench.hot.limit_licence import LicenceLimit
from tests.bench.hot.limit_record import Record
from tests.bench.hot.limit_seals import Seals
from tests.bench.hot.pool import Pool
from tests.bench.hot.wire import Reply

MOST_CONNECTIONS = 256


class LiveLimit(LicenceLimit):
    """As ``LicenceLimit``, with the certificate of the source in between."""

    def __init__(self, work: dict[str, Any], record: Record) -> None:
        super().__init__(work, record)
        source = work["source"]
        self._pool = Pool(source["port"], MOST_CONNECTIONS)
        self._access_id, self._secret = source["access_id"], source["access_secret"].encode()
        self._issued, self._head = -1, dict[str, str]()
        self._holders: dict[str, str] = source["holders"]
        self._query, self._download = source["query"], source["download"]
        self._seals = Seals([base64.b64decode(each) for each in work["anchors"]], base64.b64decode(work["statuses"]))

    def give(self, application_id: str, reply: Reply) -> None:
        """Ask who has what, fetch it, verify it; then record and answer."""
        holder = self._holders[application_id]

        def found(_: bytes, body: bytes) -> None:
            (certificate,) = orjson.loads(body)["data"]["certs"]
            wanted = {**self._download["data"], "certIdentifier": certificate["certIdentifier"]}
            self._pool.begin(self._request(self._download["path"], wanted), fetched)

        def fetched(_: bytes, body: bytes) -> None:
            envelope = base64.b64decode(orjson.loads(body)["data"]["fileData"])
            claims = self._seals.verified(envelope)
            assert claims["certificate"]["CZZTDM"] == holder
            super(LiveLimit, self).give(application_id, reply)

        self._pool.begin(self._request(self._query["path"], {**self._query["data"], "holderCode": holder}), found)

    def _request(self, path: str, data: dict[str, Any]) -> bytes:
        issued = int(time.time())
        if issued != self._issued:
            signed = hmac.new(self._secret, f"{self._access_id}.{issued}".encode(), hashlib.sha256).hexdigest()
            self._issued, self._head = issued, {"accessId": self._access_id, "accessToken": f"{issued}.{signed}"}
        body = orjson.dumps({"head": self._head, "data": data})
        return (
            b"POST %b HTTP/1.1\r\nhost: source\r\ncontent-type: application/json\r\naccept: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)
        )
