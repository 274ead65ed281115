"""An applicant without a browser: verifies at the identity provider, applies, confirms, looks at progress."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx


class Refused(Exception):
    """The gateway answered with a problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('check')}: {problem.get('remedy')}")
        self.status = status
        self.problem = problem


class Applicant:
    """One visit to the gateway. ``subject`` is a persona of the mock province."""

    def __init__(self, http: httpx.AsyncClient, gateway: str, subject: str) -> None:
        self._http = http
        self._gateway = gateway
        self._subject = subject
        self.token = ""

    async def verify(self, applicant_kind: str, method: str) -> dict[str, Any]:
        """The whole OpenID journey; answers the session as it then stands, verified or failed."""
        wanted = {"applicant_kind": applicant_kind, "method": method}
        return await self._at_the_provider(await self._call("POST", "/v1/verification-sessions", wanted), method)

    async def _at_the_provider(self, opened: dict[str, Any], method: str) -> dict[str, Any]:
        self.token = opened["session_token"]
        page = await self._http.get(opened["authorization_url"], headers={"accept": "application/json"})
        interaction = page.raise_for_status().json()
        step: dict[str, Any] = {"status": "retry"}
        while step["status"] == "retry":
            attempt = {"method": method, "subject": self._subject}
            answer = await self._http.post(interaction["verification_uri"], json=attempt)
            step = answer.raise_for_status().json()
        back = urlsplit(step["redirect_to"])
        session = await self._call("GET", f"{back.path}?{back.query}")
        self.token = session.get("session_token") or self.token
        return session

    async def begin(self, intake: str, demand: dict[str, Any]) -> dict[str, Any]:
        """Begin an intake (``one-certificate`` or ``face-verified``); answers what was found."""
        opened = await self._call("POST", f"/v1/intakes/{intake}", demand, once=True)
        return await self._call("GET", opened["href"])

    async def confirm(self, intake_id: str, **choices: Any) -> dict[str, Any]:
        """Confirm and authorise; answers the application."""
        path = f"/v1/intakes/{intake_id}/confirmation"
        return await self._call("POST", path, {"authorise": True, **choices}, once=True)

    async def review(self, intake_id: str) -> dict[str, Any]:
        """How an officer's review of it stands, or ended."""
        return await self._call("GET", f"/v1/intakes/{intake_id}/review")

    async def drop(self, intake_id: str) -> None:
        """Walk away."""
        await self._call("DELETE", f"/v1/intakes/{intake_id}")

    async def progress(self, application_id: str) -> dict[str, Any]:
        """Stages, permits, deadlines, and who read what."""
        return await self._call("GET", f"/v1/applications/{application_id}/progress")

    async def accesses_naming_me(self) -> dict[str, Any]:
        """Who saw certificates of others that name this resident."""
        return await self._call("GET", "/v1/accesses-naming-me")

    async def commit(self, href: str) -> dict[str, Any]:
        """Read the statement of a 告知承诺 and give it, as it was read."""
        shown = await self._call("GET", href)
        given = await self._call("POST", href, {"accept": True})
        return {**given, "as_read": given["text"] == shown["text"]}

    async def contract(self, application_id: str) -> dict[str, Any] | None:
        """The supply contract as it stands; None while the utility has sent none."""
        try:
            return await self._call("GET", f"/v1/applications/{application_id}/contract")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def contract_document(self, application_id: str) -> bytes:
        """What is to be signed, byte for byte."""
        url = f"{self._gateway}/v1/applications/{application_id}/contract/document"
        answer = await self._http.get(url, headers={"authorization": f"Bearer {self.token}"})
        return answer.raise_for_status().content

    async def sign(self, application_id: str, contract: dict[str, Any], method: str) -> dict[str, Any]:
        """Be verified anew for this contract alone, and sign it; answers the contract as it then stands."""
        path, named = f"/v1/applications/{application_id}/contract", {"contract_id": contract["contract_id"]}
        await self._at_the_provider(await self._call("POST", f"{path}/signing", {**named, "method": method}), method)
        return await self._call("POST", f"{path}/signature", {**named, "sha256": contract["sha256"], "accept": True})

    async def rate(self, application_id: str, level: str, **more: Any) -> dict[str, Any]:
        """Rate the service, once."""
        return await self._call("POST", f"/v1/applications/{application_id}/rating", {"level": level, **more})

    async def rating(self, application_id: str) -> dict[str, Any]:
        """The rating, and its answer."""
        return await self._call("GET", f"/v1/applications/{application_id}/rating")

    async def withdraw_application(self, application_id: str) -> dict[str, Any]:
        """Withdraw the application, and the authorisation with it."""
        return await self._call("POST", f"/v1/applications/{application_id}/withdrawal")

    async def withdraw(self, application_id: str) -> dict[str, Any]:
        """Withdraw the authorisation."""
        return await self._call("POST", f"/v1/applications/{application_id}/authorisation/withdrawal")

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, once: bool = False
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        if once:
            headers["idempotency-key"] = str(uuid4())
        response = await self._http.request(method, self._gateway + path, json=body, headers=headers)
        if response.status_code >= 400:
            raise Refused(response.status_code, response.json())
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
