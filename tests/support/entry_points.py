"""Every place where a signed token is taken at its word, behind one question: is this token taken here?

Each entry point is the real one with its real checks; only sockets are left out. ``good(typ)`` makes a token that the
entry point takes, but for its ``typ`` when another one is asked for.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from adapters.channels.posting import Outgoing
from adapters.channels.signed_events import SignedEvents
from adapters.channels.webhook import WebhookChannel
from adapters.http_client import HttpReply, HttpRequest
from adapters.http_connection import JudgeHead, Reply
from adapters.http_wire import Sent
from adapters.identity_provider import OpenIdProvider
from gateway.applications.purge_receipts import read_purge_receipt
from gateway.caller import Role
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation
from gateway.crypto.errors import refused
from gateway.crypto.jwk import SigningKey, thumbprint
from gateway.crypto.jws import sign_jws
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import ChannelKind, Event
from gateway.partners.model import KeyUse
from gateway.records.entries import digest
from schemas.events import EventType
from schemas.identity import VerifiedPerson
from schemas.wire import Typ
from tests.support.approvals import ROAD, UTILITY, ApprovalsRoom, FixedDirectory, road_claims
from tests.support.authorisations import an_authorisation, authorities, persons
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province, x5c
from tests.support.partners import (
    ISSUER,
    TOKEN_URI,
    Client,
    PartnersRoom,
    ed25519_key,
    es256_key,
    new_id,
    public_jwk,
    seconds,
)
from tests.support.projects import PLATFORM, ProjectsRoom, claims
from tests.support.storage import NOON
from tests.support.tokens import make_token, unb64

IDENTITY_ISSUER = "https://identity.example"
RESOURCE = f"{ISSUER}/v1/verified-licences"


class EntryPoint(Protocol):
    """One use of tokens. ``present`` raises a ``GatewayError`` unless the token is taken."""

    use: Typ
    key: SigningKey
    """Who signs the tokens that are taken here."""

    def good(self, typ: str) -> str: ...
    async def present(self, token: str) -> Any: ...


@dataclass
class _Partners:
    room: PartnersRoom
    client: Client
    use: Typ
    key: SigningKey


class AccessTokens(_Partners):
    """A protected request, by its access token."""

    def good(self, typ: str) -> str:
        now = seconds(self.room.clock())
        own = {"iss": ISSUER, "sub": self.client.code, "aud": ISSUER, "client_id": self.client.code}
        bound = {
            "cnf": {"jkt": thumbprint(self.client.dpop_key.public().public_key)},
            "client_key": self.client.auth_key.kid,
            "epoch": 0,
        }
        times = {"scope": "licences", "jti": new_id(), "iat": now, "exp": now + 300}
        return sign_jws(own | bound | times, self.key, typ)

    async def present(self, token: str) -> Any:
        at = self.room.clock()
        proof = self.client.proof(at, "POST", RESOURCE, token=token)
        return await self.room.gate.authenticate([f"DPoP {token}"], [proof], "POST", RESOURCE, at)


class DpopProofs(_Partners):
    """A protected request, by its proof; ``granted`` is the access token it goes with."""

    granted: str = ""

    def good(self, typ: str) -> str:
        return self.client.proof(self.room.clock(), "POST", RESOURCE, token=self.granted, typ=typ)

    async def present(self, token: str) -> Any:
        at = self.room.clock()
        return await self.room.gate.authenticate([f"DPoP {self.granted}"], [token], "POST", RESOURCE, at)


class ClientAssertions(_Partners):
    """The token endpoint."""

    def good(self, typ: str) -> str:
        return self.client.assertion(self.room.clock(), typ=typ)

    async def present(self, token: str) -> Any:
        at = self.room.clock()
        form = self.client.form(at, client_assertion=token)
        return await self.room.tokens.grant(form, [self.client.proof(at, "POST", TOKEN_URI)], at)


@dataclass
class Outcomes:
    """A department's push."""

    room: ApprovalsRoom
    permit_id: str
    number: int = 0
    use: Typ = Typ.APPROVAL_OUTCOME

    @property
    def key(self) -> SigningKey:
        return self.room.keys[ROAD]

    def good(self, typ: str) -> str:
        self.number += 1
        claims = road_claims(self.permit_id, self.number, "approved", self.room.clock())
        return self.room.sign(ROAD, claims, typ).decode()

    async def present(self, token: str) -> Any:
        return await self.room.outcomes.receive(ROAD, token.encode(), self.room.clock())


@dataclass
class ProjectPushes:
    """An approval platform's push."""

    room: ProjectsRoom
    number: int = 0
    use: Typ = Typ.PROJECT_PUSH

    @property
    def key(self) -> SigningKey:
        return self.room.key

    def good(self, typ: str) -> str:
        self.number += 1
        return self.room.sign(claims(self.number), typ).decode()

    async def present(self, token: str) -> Any:
        return await self.room.intake.receive(PLATFORM, token.encode(), self.room.clock())


class _Answering(Outgoing):
    """A client whose every request is answered by ``body``."""

    body = b""

    async def exchange(self, request: HttpRequest, timeout_s: float, judge: JudgeHead, sent: Sent) -> Reply:
        judge(200, {})
        return 200, {}, self.body


class Receipts:
    """A utility's answer to a webhook."""

    use = Typ.DELIVERY_RECEIPT

    def __init__(self) -> None:
        self.key, sender = es256_key("receipts-1"), ed25519_key("gateway-ed")
        self.event = an_event("evt_1")
        self._outgoing, directory = _Answering(), FixedDirectory()
        directory.add(UTILITY, Role.UTILITY, "440100")
        directory.add_key(UTILITY, self.key, KeyUse.RECEIPT)
        directory.set_endpoint(UTILITY, "webhook", "https://utility.example/hook")
        self._channel = WebhookChannel(self._outgoing, directory, ISSUER, lambda: sender, lambda _: ())

    def good(self, typ: str) -> str:
        body = encode_cloud_event(self.event, ISSUER)
        own = {"iss": UTILITY, "aud": ISSUER, "jti": new_id(), "iat": seconds(NOON), "status": "accepted"}
        return sign_jws(own | {"event_id": self.event.event_id, "body_sha256": digest(body)}, self.key, typ)

    async def present(self, token: str) -> Any:
        self._outgoing.body = token.encode()
        return await self._channel.send(self.event, NOON)


class Refusals(Receipts):
    """A utility's refusal over NATS."""

    use = Typ.DELIVERY_REFUSAL

    def good(self, typ: str) -> str:
        own = {"iss": UTILITY, "aud": ISSUER, "jti": new_id(), "iat": seconds(NOON), "status": 422}
        body_sha256 = digest(encode_cloud_event(self.event, ISSUER))
        return sign_jws(own | {"event_id": self.event.event_id, "body_sha256": body_sha256}, self.key, typ)

    async def present(self, token: str) -> Any:
        sender = ed25519_key("gateway-ed")
        signed = SignedEvents(ChannelKind.NATS, ISSUER, lambda: sender, lambda _: (), apart=True)
        body, keys = encode_cloud_event(self.event, ISSUER), (self.key.public(),)
        return signed.verify_refusal(self.event, body, token.encode(), keys, NOON)


class PurgeReceipts:
    """A utility's confirmation that it purged what it had obtained."""

    use = Typ.PURGE_RECEIPT

    def __init__(self) -> None:
        self.key = es256_key("receipts-1")

    def good(self, typ: str) -> str:
        own = {"iss": UTILITY, "aud": ISSUER, "jti": new_id(), "iat": seconds(NOON), "purged_at": NOON.isoformat()}
        return sign_jws(own | {"application_id": "app_1", "authorisation_id": "aut_1"}, self.key, typ)

    async def present(self, token: str) -> Any:
        return read_purge_receipt(token.encode(), (self.key.public(),), UTILITY, ISSUER, NOON)


def an_event(event_id: str) -> Event:
    """An event on its way to the utility."""
    return Event(
        event_id, UTILITY, ChannelKind.WEBHOOK, EventType.REVIEW_OPENED, "app_1", 3, 7, NOON, {"review_id": "rev_1"}
    )


class _Provider:
    """The identity provider's metadata and keys, without a socket."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    async def send(self, request: HttpRequest, *, partner: str) -> HttpReply:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        told: dict[str, Any] = {"issuer": IDENTITY_ISSUER} | {name: f"{IDENTITY_ISSUER}/{name}" for name in names}
        if request.url.endswith("jwks_uri"):
            told = {"keys": [public_jwk(self._key)]}
        return HttpReply(200, {"content-type": "application/json"}, orjson.dumps(told))

    async def aclose(self) -> None:
        return None


class IdentityAssertions:
    """What the identity provider says of somebody."""

    use = Typ.IDENTITY_ASSERTION

    def __init__(self) -> None:
        self.key = es256_key("idp-1")
        self.provider = OpenIdProvider(
            issuer=IDENTITY_ISSUER,
            client_id="bandian",
            redirect_uri=f"{ISSUER}/callback",
            client_key=lambda: self.key,
            http=_Provider(self.key),
            make_id=lambda kind: f"{kind}_1",
        )

    def good(self, typ: str) -> str:
        now = seconds(NOON)
        own = {"iss": IDENTITY_ISSUER, "aud": "bandian", "sub": "pairwise-1", "nonce": "n-1", "jti": new_id()}
        times = {"iat": now, "exp": now + 300, "auth_time": now, "amr": ["face"]}
        who = {"person": {"name": "测试甲", "resident_identity_number": "110101190001010018"}}
        return sign_jws(own | times | who, self.key, typ)

    async def present(self, token: str) -> Any:
        return await self.provider.read_assertion(token, "n-1", NOON)


@dataclass
class _Sealed:
    """A verification of an e-certificate with its status list; anything but *valid* counts as a refusal."""

    province: Province

    def judge(self, envelope: bytes, status_list: bytes) -> Any:
        kind, evidence = KindRegistry.discover().get("business_licence"), self.province.evidence()
        evidence = StatusEvidence({LIST_URI: status_list}, evidence.crls)
        result = self.province.verifier().verify(envelope, kind, AT, HolderExpectation(ENTERPRISE), evidence)
        if result.verdict is not Verdict.VALID:
            raise refused("not_valid", result.failed_check.check if result.failed_check else "?")
        return result


class Certificates(_Sealed):
    """An e-certificate's envelope."""

    use = Typ.CERTIFICATE

    @property
    def key(self) -> SigningKey:
        return SigningKey("seal", "ES256", self.province.pki.seals["market-supervision"].key)

    def good(self, typ: str) -> str:
        return self.province.envelope(header={"typ": typ}).decode()

    async def present(self, token: str) -> Any:
        return self.judge(token.encode(), self.province.status_list())


class StatusLists(_Sealed):
    """A status list."""

    use = Typ.STATUS_LIST

    @property
    def key(self) -> SigningKey:
        return SigningKey("lists", "ES256", self.province.pki.seals["status-lists"].key)

    def good(self, typ: str) -> str:
        holder, good = self.province.pki.seals["status-lists"], self.province.status_list().split(b".")
        header = {"alg": "ES256", "typ": typ, "x5c": x5c(holder)}
        return make_token(header, orjson.loads(unb64(good[1])), holder.key).decode()

    async def present(self, token: str) -> Any:
        return self.judge(self.province.envelope(), token.encode())


class _PersonLists:
    """The CA for persons' own lists, without a socket."""

    async def fetch_crl(self, uri: str) -> bytes:
        found = persons().crl(uri.rsplit("/", 1)[1].removesuffix(".crl"), AT)
        assert found is not None
        return found

    async def fetch_status_list(self, uri: str) -> bytes:
        raise AssertionError("an authorisation has no status list")

    async def fetch_ocsp(self, uri: str, request: bytes) -> bytes:
        raise AssertionError("the CA for persons has no responder")


class AgentAuthorisations:
    """An agent's authorisation (经办授权); anything but *valid* counts as a refusal."""

    use = Typ.AGENT_AUTHORISATION

    def __init__(self) -> None:
        self._signer = VerifiedPerson(name="测试甲", resident_identity_number="110101190001010018")
        self._agent = VerifiedPerson(name="测试乙", resident_identity_number="110101190001010034")
        self._authorities = authorities(_PersonLists())
        self.key = SigningKey("person", "ES256", persons().signer(self._signer).key)

    def good(self, typ: str) -> str:
        token = an_authorisation(self._signer, self._agent, ENTERPRISE, AT)
        header, payload = (orjson.loads(unb64(part)) for part in token.split(".")[:2])
        return make_token(header | {"typ": typ}, payload, self.key.private_key).decode()

    async def present(self, token: str) -> Any:
        found = await self._authorities.judge(token, AT)
        if found is None or found.verdict is not Verdict.VALID:
            raise refused("not_valid", found.check or "?" if found else "?")
        return found


async def partner_entry_points(room: PartnersRoom) -> list[EntryPoint]:
    """The three uses of the partners room."""
    client = await room.enrol()
    proofs = DpopProofs(room, client, Typ.DPOP_PROOF, client.dpop_key)
    proofs.granted = await room.token_for(client)
    return [
        AccessTokens(room, client, Typ.ACCESS_TOKEN, room.gateway_key),
        proofs,
        ClientAssertions(room, client, Typ.CLIENT_ASSERTION, client.auth_key),
    ]


def lone_entry_points() -> list[EntryPoint]:
    """Those that need no database."""
    province = Province()
    return [
        Receipts(),
        Refusals(),
        PurgeReceipts(),
        IdentityAssertions(),
        Certificates(province),
        StatusLists(province),
        AgentAuthorisations(),
    ]
