"""Paths 1c and 1d: the certificate is fetched from its source for each answer, under ordinary seals or SM2 ones."""

import base64
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.status_lists import unpack_statuses
from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.licences import json_of
from tests.bench.hot.slices import Measured
from tests.bench.hot.source import PLAIN, SM2
from tests.bench.hot.verified import LicencePath


class LivePath(LicencePath):
    """No copy passes as fresh (``live_gateway``): two requests of the source, and the certificate verified anew."""

    from_copy = False

    def __init__(self, done: str, *, sm2: bool = False) -> None:
        super().__init__(done)
        self.needs = Needs(live=True)
        self._seals = SM2 if sm2 else PLAIN

    async def measure(self, ground: Ground, connections: int) -> Measured:
        """As ``HotPath``."""
        await ground.gateways.run(self.needs)
        await ground.gateways.seal(self._seals)
        try:
            return await super().measure(ground, connections)
        finally:
            await ground.gateways.seal(PLAIN)

    async def work(self, ground: Ground, work: dict[str, Any]) -> dict[str, Any]:
        """As ``LicencePath``: also the source, and whom its seals lead to."""
        stand = ground.stand
        access = json.loads(stand.province.environment["BANDIAN_SOURCES"])[0]
        asked = json.loads((stand.directory / "source-asked.json").read_text("utf-8"))
        return {
            **work,
            **await trusted(ground),
            "does": "live",
            "source": {
                "port": ground.gateways.source,
                "access_id": access["access_id"],
                "access_secret": access["access_secret"],
                "holders": {each.application_id: each.holder_code for each in stand.applications},
                "query": asked["queryCertInfoByHolderCode"],
                "download": asked["downloadFile"],
            },
        }


async def trusted(ground: Ground) -> dict[str, Any]:
    """The province's roots, and the status list of its certificates, for a limit that verifies them."""
    stand = ground.stand
    (envelope, *_) = recorded_envelopes(ground).values()
    uri = json_of(envelope.split(b".")[1])["status"]["status_list"]["uri"]
    token = (await ground.http.get(uri)).content
    statuses = json_of(token.split(b".")[1])["status_list"]
    assert statuses["bits"] == 2
    anchors = [
        base64.b64encode(each.public_bytes(Encoding.DER)).decode()
        for path in sorted((stand.province.directory / "gateway" / "trust" / "anchors").glob("*.pem"))
        for each in x509.load_pem_x509_certificates(path.read_bytes())
    ]
    return {"anchors": anchors, "statuses": base64.b64encode(unpack_statuses(statuses["lst"])).decode()}


def recorded_envelopes(ground: Ground) -> dict[str, bytes]:
    """The envelopes that the source gave, by holder."""
    answers = json.loads((ground.stand.directory / "source.json").read_text("utf-8"))
    bodies = [json.loads(base64.b64decode(each)) for each in answers.values()]
    files = [base64.b64decode(each["data"]["fileData"]) for each in bodies if "fileData" in (each.get("data") or {})]
    return {json_of(each.split(b".")[1])["certificate"]["CZZTDM"]: each for each in files}
