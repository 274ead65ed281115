"""Callers of a gateway that runs in another process: a partner with its DPoP-bound token."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from gateway.crypto.jwk import SigningKey
from mock_services.jose import SigningKey as MockKey
from tests.support.partners import Client, es256_key


def key_of_mock(path: Path) -> SigningKey:
    """The key pair that a mock wrote at its first start."""
    held = MockKey.load_or_create(path)
    return SigningKey(held.kid, "ES256", held.private)


@dataclass
class Caller:
    """A partner's software against ``gateway``. ``headers`` makes a fresh proof for each request."""

    gateway: str
    code: str
    key: SigningKey
    token: str = ""
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.code, self.key, es256_key("dpop"))

    async def sign_in(self, http: httpx.AsyncClient) -> "Caller":
        now, uri = datetime.now(UTC), f"{self.gateway}/oauth/token"
        form = self.client.form(now, client_assertion=self.client.assertion(now, aud=self.gateway))
        answer = await http.post(uri, data=form, headers={"dpop": self.client.proof(now, "POST", uri)})
        self.token = answer.raise_for_status().json()["access_token"]
        return self

    def headers(self, method: str, path: str) -> dict[str, str]:
        """``path`` as it goes over the wire, without its query."""
        proof = self.client.proof(datetime.now(UTC), method, self.gateway + path, token=self.token)
        return {"authorization": f"DPoP {self.token}", "dpop": proof}
