"""A partner as an integrator would build one: keys, client assertions, DPoP proofs; and forgeries."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from adapters.storage.transactions import SqlTransactions
from gateway.caller import Role
from gateway.crypto.jwk import SigningKey, export_jwk
from gateway.crypto.jws import sign_jws
from gateway.crypto.strict_json import encode_base64url
from gateway.partners.directory import PartnerDirectory
from gateway.partners.model import AgreementStatus, Grant, KeyUse, Partner, PartnerStatus, SharingAgreement
from gateway.partners.service import PartnerService
from gateway.partners.tokens import ASSERTION_TYPE, AccessGate, TokenKeys, TokenService
from gateway.partners.vocabulary import Vocabulary
from tests.support.storage import NOON, SetClock, opened

ISSUER = "https://gateway.example"
TOKEN_URI = f"{ISSUER}/oauth/token"
VOCABULARY = Vocabulary(
    {"business_licence": frozenset({"name", "code", "number"}), "property_right": frozenset({"a", "b", "c"})},
    frozenset({"acceptance", "supply_plan"}),
)
_numbers = count(1)


def new_id() -> str:
    return f"id-{next(_numbers):08d}"


def es256_key(kid: str) -> SigningKey:
    return SigningKey(kid, "ES256", ec.generate_private_key(ec.SECP256R1()))


def ed25519_key(kid: str) -> SigningKey:
    return SigningKey(kid, "EdDSA", ed25519.Ed25519PrivateKey.generate())


def public_jwk(key: SigningKey) -> dict[str, Any]:
    return export_jwk(key.public())


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def raw_jws(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes) -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(encode_base64url(part).decode() for part in parts)


@dataclass
class Client:
    """A partner's client software; ``claims`` given to a method replace its own, ``None`` leaves one out."""

    code: str
    auth_key: SigningKey
    dpop_key: SigningKey = field(default_factory=lambda: es256_key("dpop"))

    def assertion(self, at: datetime, *, key: SigningKey | None = None, typ: str | None = None, **claims: Any) -> str:
        own = {
            "iss": self.code,
            "sub": self.code,
            "aud": ISSUER,
            "jti": new_id(),
            "iat": seconds(at),
            "exp": seconds(at) + 60,
        }
        return sign_jws(_without_none(own | claims), key or self.auth_key, typ or "client-authentication+jwt")

    def proof(
        self,
        at: datetime,
        method: str,
        uri: str,
        *,
        token: str | None = None,
        key: SigningKey | None = None,
        typ: str = "dpop+jwt",
        **claims: Any,
    ) -> str:
        key = key or self.dpop_key
        own: dict[str, Any] = {"htm": method, "htu": uri, "iat": seconds(at), "jti": new_id()}
        if token is not None:
            own["ath"] = encode_base64url(sha256(token.encode()).digest()).decode()
        jwk = {name: value for name, value in public_jwk(key).items() if name not in ("kid", "use", "alg")}
        return sign_jws(_without_none(own | claims), key, typ, {"jwk": jwk})

    def form(self, at: datetime, **changes: Any) -> dict[str, str]:
        own = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(at),
        }
        return _without_none(own | changes)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@dataclass
class PartnersRoom:
    """The room, wired over a database, with a clock that is set by hand."""

    transactions: SqlTransactions
    clock: SetClock
    directory: PartnerDirectory
    service: PartnerService
    tokens: TokenService
    gate: AccessGate
    gateway_key: SigningKey

    async def enrol(self, code: str = "csg-guangzhou", role: Role = Role.UTILITY) -> Client:
        """A registered partner with one key for everything."""
        key = es256_key(f"{code}-1")
        at = self.clock()
        await self.service.register_partner(code, f"{code} 测试单位", role, ["440100"], actor="gateway", at=at)
        await self.service.add_key(code, public_jwk(key), KeyUse.ANY, actor="gateway", at=at)
        return Client(code, key)

    async def token_for(self, client: Client) -> str:
        at = self.clock()
        granted = await self.tokens.grant(client.form(at), [client.proof(at, "POST", TOKEN_URI)], at)
        return granted.access_token


@contextmanager
def partners_room(database_url: str) -> Iterator[PartnersRoom]:
    clock, key = SetClock(), es256_key("gateway-1")
    with opened(database_url, clock) as transactions:
        directory, keys = PartnerDirectory(transactions), TokenKeys(key)
        yield PartnersRoom(
            transactions=transactions,
            clock=clock,
            directory=directory,
            service=PartnerService(transactions, directory, vocabulary=VOCABULARY, new_id=new_id),
            tokens=TokenService(transactions, directory, keys, issuer=ISSUER, token_uri=TOKEN_URI, new_id=new_id),
            gate=AccessGate(directory, keys, ISSUER),
            gateway_key=key,
        )


def a_partner(**changes: Any) -> Partner:
    own: dict[str, Any] = {
        "code": "csg-guangzhou",
        "name": "测试供电局",
        "role": Role.UTILITY,
        "regions": ("440100",),
        "status": PartnerStatus.ACTIVE,
        "token_epoch": 0,
        "registered_at": NOON - timedelta(days=30),
    }
    return Partner(**(own | changes))


def an_agreement(**changes: Any) -> SharingAgreement:
    own: dict[str, Any] = {
        "agreement_id": "agreement-1",
        "partner_code": "csg-guangzhou",
        "purpose": "grid_connection_intake",
        "grants": (Grant("business_licence", frozenset({"name", "code"})),),
        "regions": ("440100",),
        "stages": None,
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2026, 12, 31),
        "clause": "第（六）条",
        "status": AgreementStatus.ACTIVE,
    }
    return SharingAgreement(**(own | changes))
