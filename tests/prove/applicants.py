"""Applicants who do not give up, and the utility's officers who open a joint review for each application.

What the gateway acknowledged is in a log with fsync: ``application`` for a confirmation, ``review`` for a single intake
with its permits. Whatever fails on the way is tried again with the same idempotency key, or from the start.
"""

import asyncio
import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from mock_services.jose import RemoteKeySet, SigningKey
from mock_services.population import build_population
from mock_services.utility.client import GatewayClient, GatewayRefused, GatewayUnavailable
from schemas.partner_api import JointReviewRequest

LOG = "applicants.jsonl"
AT_ONCE = 10
CITY = "440100"
PERMITS = {
    "planning": "construction_planning",
    "road": "road_occupation",
    "greenery": "greenery_occupation",
    "traffic": "traffic_works",
    "water": "river_works",
}
LINE = {
    "description": "380伏电缆外线",
    "voltage_v": 380,
    "length_m": 80.0,
    "from_point": "低压分支箱",
    "to_point": "用户计量箱",
}
_PATIENCE = 40
"""Tries of one request."""
_HELD_AT_MOST = 4
"""Tries while a gateway that was killed still holds the idempotency key (for a minute): then rather begin anew."""


class GaveUp(Exception):
    """This journey leads nowhere; the next one begins anew."""


class Applicants:
    """Makes applications with open reviews; ``made`` counts them, ``failures`` what went wrong on the way."""

    def __init__(
        self, gateway: str, partner: str, key: SigningKey, directory: Path, residents: int, chance: random.Random
    ) -> None:
        self._gateway = gateway
        self._chance = chance
        self._http = httpx.AsyncClient(timeout=15)
        keys = RemoteKeySet(f"{gateway}/.well-known/jwks.json", self._http)
        self._officers = GatewayClient(gateway, partner, key, keys, self._http, lambda: datetime.now(UTC))
        people = build_population(residents)
        self._holders = [
            owner
            for place in people.properties
            for owner in place.owners
            if len(place.owners) == 1 and owner.region[:4] == CITY[:4] and owner.region == place.region
            and people.persona_of(_code(owner)) is None and _code(owner) in people.residents
        ]  # fmt: skip
        self._log = (directory / LOG).open("ab", buffering=0)
        self.made = 0
        self._under_way = 0
        self.failures: dict[str, int] = {}

    @property
    def idle(self) -> bool:
        """Nobody is in the middle of applying."""
        return self._under_way == 0

    async def run(self, allowed: Callable[[], int]) -> None:
        """Until cancelled: never more than ``allowed()`` applications."""
        with self._log:
            async with self._http, asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._apply_on(allowed))

    async def _apply_on(self, allowed: Callable[[], int]) -> None:
        while True:
            if self.made + self._under_way >= allowed():
                await asyncio.sleep(0.1)
                continue
            self._under_way += 1
            try:
                await self._apply(self._chance.choice(self._holders))
                self.made += 1
            except (GaveUp, httpx.HTTPError, KeyError) as error:
                said = str(error) or type(error).__name__
                self.failures[said] = self.failures.get(said, 0) + 1
                await asyncio.sleep(0.3)
            finally:
                self._under_way -= 1

    async def _apply(self, holder: Any) -> None:
        token = await self._verified(_code(holder))
        demand = {"region": holder.region, "voltage_v": 220, "capacity_kw": 8, "purpose": "住宅用电"}
        opened = await self._once("POST", "/v1/intakes/face-verified", token, demand)
        preview = await self._once("GET", opened["href"], token)
        if not preview["ready"]:
            raise GaveUp("an intake is not ready")
        path = f"/v1/intakes/{preview['intake_id']}/confirmation"
        accepted = await self._once("POST", path, token, {"authorise": True})
        if "application_id" not in accepted:
            raise GaveUp("an intake goes to review")
        self._note(what="application", application=accepted["application_id"])
        await self._open_review(accepted["application_id"])

    async def _verified(self, subject: str) -> str:
        """A verified session's token. Its steps cannot be repeated, so that a failure starts over."""
        opened = await self._call(
            "POST", "/v1/verification-sessions", "", {"applicant_kind": "resident", "method": "face"}
        )
        page = await self._http.get(opened["authorization_url"], headers={"accept": "application/json"})
        attempt = {"method": "face", "subject": subject}
        answer = await self._http.post(page.raise_for_status().json()["verification_uri"], json=attempt)
        back = urlsplit(answer.raise_for_status().json()["redirect_to"])
        session = await self._call("GET", f"{back.path}?{back.query}", opened["session_token"])
        if session["status"] != "verified":
            raise GaveUp("a verification failed")
        token: str = session.get("session_token") or opened["session_token"]
        return token

    async def _open_review(self, application_id: str) -> None:
        permits = [{"department": f"{prefix}-{CITY}", "permit": permit} for prefix, permit in PERMITS.items()]
        request = JointReviewRequest.model_validate({"line": LINE, "permits": permits})
        for attempt in range(_PATIENCE):
            key = f"{application_id}:review:{attempt}"
            try:
                view = await self._officers.open_joint_review(application_id, request, idempotency_key=key)
            except (GatewayUnavailable, GatewayRefused) as error:
                await asyncio.sleep(min(0.1 * (attempt + 1), 1.0))
                failed = error
                continue
            self._note(
                what="review", application=application_id, review=view.review_id,
                permits=[permit.permit_id for permit in view.permits],
            )  # fmt: skip
            return
        raise GaveUp(f"a joint review cannot be opened: {failed}")

    async def _once(self, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The same request, with the same idempotency key, until there is an answer. Raises ``GaveUp``."""
        key = f"{self._chance.getrandbits(128):032x}"
        failed: Exception | None = None
        held = 0
        for attempt in range(_PATIENCE):
            try:
                return await self._call(method, path, token, body, key)
            except (httpx.TransportError, GaveUp) as error:
                failed = error
                held += str(error).startswith("409 idempotency")
                again = isinstance(error, httpx.TransportError) or str(error).startswith(("5", "409 idempotency"))
                if not again or held > _HELD_AT_MOST:
                    raise
                await asyncio.sleep(min(0.1 * (attempt + 1), 1.0))
        raise GaveUp(f"no answer to {method} {path.rpartition('/')[2]}: {failed}")

    async def _call(
        self, method: str, path: str, token: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if key is not None and method == "POST":
            headers["idempotency-key"] = key
        response = await self._http.request(method, self._gateway + path, json=body, headers=headers)
        if response.status_code >= 400:
            check = response.json().get("check") if "json" in response.headers.get("content-type", "") else None
            raise GaveUp(f"{response.status_code} {check}")
        answer: dict[str, Any] = response.json()
        return answer

    def _note(self, **said: Any) -> None:
        self._log.write(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._log.fileno())


def _code(holder: Any) -> str:
    return str(getattr(holder, "id_number", "") or getattr(holder, "code", ""))
