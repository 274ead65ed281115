"""Where no library speaks SM2: everything else works, and SM2 answers *indeterminate*, neither valid nor invalid.

The documents are written here, with SM2; they are judged in a process of its own that has none.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from gateway.crypto import sm2
from gateway.crypto.jwk import VerificationKey, export_jwk
from gateway.crypto.signatures import load_public_key
from gateway.main import create_app
from gateway.settings import load_settings
from tests.support import ofd_writer, x509_writer
from tests.support.databases import Databases
from tests.support.tokens import NOW, make_token

ROOT = Path(__file__).parents[2]
JUDGE = r"""
import base64, json, sys
from datetime import UTC, datetime
from gateway.crypto import sm2
given = json.load(sys.stdin)
sm2.use_library(given["library"])
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.crypto.jwk import parse_jwk
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.crypto.signatures import verify_signature
from gateway.errors import GatewayError
from tests.support import ofd_writer
from tests.support.tokens import AT
data = {name: base64.b64decode(text) for name, text in given["data"].items()}
told = {}
def tell(name, act):
    try:
        told[name] = act()
    except GatewayError as error:
        told[name] = type(error).__name__
def chain(kind, crls=None):
    found = verify_chain(data[kind + " leaf"], [data[kind + " ca"]], [data[kind + " root"]], AT, crls=crls)
    return [found.verdict, found.check]
policy = JwsPolicy(typ=frozenset({"at+jwt"}), algorithms=frozenset({"ES256", "SM2-SM3"}))
for kind, scheme in (("sm2", "SM2-SM3"), ("p256", "ecdsa-with-SHA256")):
    tell(kind + " signature", lambda: verify_signature(scheme, data[kind + " key"], b"m", data[kind + " signature"]))
    tell(kind + " chain", lambda: chain(kind))
    tell(kind + " chain with lists", lambda: chain(kind, [data[kind + " crl"], data[kind + " root crl"]]))
    keys = [parse_jwk(given["jwk"][kind])]
    tell(kind + " token", lambda: verify_jws(data[kind + " token"], keys, policy, AT).claims["iss"])
seal = lambda name: verify_ofd(data[name], [data["ofd root"]], ofd_writer.NOW, intermediates=[data["ofd ca"]])
for name in ("ofd", "ofd spoilt"):
    tell(name, lambda: [seal(name).verdict, seal(name).reason])
print(json.dumps(told))
"""


def chain_of(kind: str, key) -> dict[str, bytes]:
    root = x509_writer.root(key=key())
    ca = root.issue_ca("中间机构", key=key())
    leaf = ca.issue("签章者", key=key())
    method, value = x509_writer.signature(leaf.key, b"m")
    assert method
    return {
        f"{kind} root": root.certificate,
        f"{kind} ca": ca.certificate,
        f"{kind} leaf": leaf.certificate,
        f"{kind} root crl": x509_writer.crl(root),
        f"{kind} crl": x509_writer.crl(ca),
        f"{kind} key": x509_writer.key_info(leaf.key),
        f"{kind} signature": value[3:],
        f"{kind} token": make_token(
            {"alg": "SM2-SM3" if kind == "sm2" else "ES256", "typ": "at+jwt"}, {"iss": "a", "iat": NOW}, leaf.key
        ),
    }


@pytest.fixture(scope="module")
def documents() -> dict[str, object]:
    pki = ofd_writer.Pki()
    good = ofd_writer.build(pki)
    data = chain_of("sm2", sm2.generate_private_key) | chain_of("p256", x509_writer.p256)
    data |= {"ofd root": pki.root.certificate, "ofd ca": pki.ca.certificate, "ofd": good}
    data["ofd spoilt"] = ofd_writer.rewrite(good, ofd_writer.PAGE, b"<Page>changed</Page>")
    jwks = {
        "sm2": export_jwk(VerificationKey("k", data["sm2 key"], frozenset({"SM2-SM3"}))),
        "p256": export_jwk(VerificationKey("k", load_public_key("ES256", data["p256 key"]), frozenset({"ES256"}))),
    }
    return {"data": {name: base64.b64encode(each).decode() for name, each in data.items()}, "jwk": jwks}


def judged(documents: dict[str, object], library: str | None) -> dict[str, object]:
    command = [sys.executable, "-c", JUDGE]
    given = json.dumps(documents | {"library": library})
    ended = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


P256 = {
    "p256 signature": None,
    "p256 chain": ["valid", None],
    "p256 chain with lists": ["valid", None],
    "p256 token": "a",
}


def test_with_a_library_all_is_judged(documents: dict[str, object]) -> None:
    assert judged(documents, None) == P256 | {
        "sm2 signature": None,
        "sm2 chain": ["valid", None],
        "sm2 chain with lists": ["valid", None],
        "sm2 token": "a",
        "ofd": ["valid", ""],
        "ofd spoilt": ["invalid", "digest mismatch"],
    }


@pytest.mark.parametrize("library", ["no-such-libcrypto.so", "libc.so.6"], ids=["missing", "without SM2"])
def test_without_one_sm2_is_unknown_and_all_else_is_judged(documents: dict[str, object], library: str) -> None:
    told = judged(documents, library)
    assert P256.items() <= told.items()
    assert told["sm2 signature"] == told["sm2 token"] == "AlgorithmUnavailable"
    assert told["sm2 chain"] == told["sm2 chain with lists"] == ["indeterminate", "chain.algorithm_unavailable"]
    assert told["ofd"] == ["indeterminate", "algorithm unavailable"]
    # What needs no signature to be seen is still seen.
    assert told["ofd spoilt"][0] == "invalid"


@pytest.mark.parametrize("library", [None, "no-such-libcrypto.so"], ids=["with", "without"])
async def test_the_gateway_proves_sm2_at_its_start_and_says_when_there_is_none(
    library: str | None, tmp_path: Path, databases: Databases
) -> None:
    settings = load_settings(
        {
            "BANDIAN_DATABASE_URL": databases.sqlite(),
            "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
            "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
            "BANDIAN_SECRETS_DIR": str(tmp_path / "secrets"),
        }
    ).model_copy(update={"sm2_library": library})
    app = create_app(settings)
    try:
        with structlog.testing.capture_logs() as logs:
            async with app.router.lifespan_context(app):
                pass
    finally:
        sm2.use_library(None)
    (started,) = [line for line in logs if line["event"] == "gateway.started"]
    assert (started["sm2"] is None) == (library is not None)
    assert ("sm2.unavailable" in [line["event"] for line in logs]) == (library is not None)
