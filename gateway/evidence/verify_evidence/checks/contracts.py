"""供用电合同: what was signed, by whom, and that the identity provider's assertion was made for this very document."""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws, verify_by_one
from ..reading import SKEW, epoch, instant_of, members_of, number_of, sha256_hex, text_of, told, utf8
from ..record import Entry
from ..texts import PROVED, STATED, UNKNOWN, WRONG
from .applications import principal, require_audience

NAME: Final = "contracts.json"
FRESH_FOR: Final = timedelta(minutes=30)
"""From the verification until the signature."""
TOLD_ROUGHLY: Final = timedelta(seconds=1)


def check_contracts(examined: Examination) -> None:
    """What the record says of contracts; each that was signed, with its document and both signatures."""
    account: dict[str, Mapping[str, Any]] = {}
    for line in members_of(examined.object(NAME) or {}, "contracts"):
        said = line if isinstance(line, dict) else {}
        if account.setdefault(str(said.get("contract_id")), said) is not said:
            examined.say(WRONG, "contract.wrong", NAME, contract=said.get("contract_id"), why="it stands there twice")
    for entry in examined.entries_of("contract.offered", "contract.declined", "contract.signed_on_paper"):
        named = {"contract": entry.facts.get("contract"), "version": entry.facts.get("version")}
        action = entry.action.removeprefix("contract.")
        examined.say(PROVED, "contract.said", entry.where, at=told(entry.at), who=entry.actor, action=action, **named)
    known: set[str] = set()
    for entry in examined.entries_of("contract.signed"):
        contract = str(entry.facts.get("contract"))
        if contract in known:
            examined.say(WRONG, "contract.wrong", entry.where, contract=contract, why="it was signed twice")
        elif examined.version == 1:
            examined.say(STATED, "contract.before", entry.where, contract=contract, at=told(entry.at))
        else:
            _contract(examined, entry, contract, account.get(contract))
        known.add(contract)
    for contract in sorted(account.keys() - known):
        examined.say(WRONG, "contract.wrong", NAME, contract=contract, why="the record does not say that it was signed")


def _contract(examined: Examination, entry: Entry, contract: str, line: Mapping[str, Any] | None) -> None:
    """The statement; where that holds, the document and the assertion that it names."""
    digest = str(entry.facts.get("statement_sha256"))
    name = f"contracts/{digest}.jws"
    examined.seen.add(name)
    if line is None or name not in examined.files:
        mark, why = examined.why_absent("contract_statement", digest)
        if line is not None or name in examined.files:
            mark, why = UNKNOWN, "statement and account are not both there"
        examined.say(mark, "contract.absent", entry.where, contract=contract, what="statement", why=why)
        return
    claims: dict[str, Any] = {}

    def holds(work: Callable[[], None], where: str) -> bool:
        return examined.attempt(work, "contract.wrong", where, "contract.unknown", contract=contract)

    if holds(lambda: claims.update(_statement(examined, entry, line, name)), name):
        holds(lambda: _document(examined, entry, line, claims), NAME)
        holds(lambda: _assertion(examined, entry, claims), f"contracts/{claims.get('assertion_sha256')}.jws")


def _statement(examined: Examination, entry: Entry, line: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The gateway's statement, as recorded, about the contract of the account."""
    data = examined.files[name]
    if sha256_hex(data) != entry.facts.get("statement_sha256"):
        raise Refused("the statement is not the one whose digest was recorded")
    token = Jws.read(data, "contract-signature+jwt")
    claims = token.claims()
    answering = [key for key in examined.anchors.gateway if key.kid.startswith("answer-")]
    verify_by_one(token, answering, "any", entry.at, "the gateway")
    utility = text_of(entry.facts, "utility")
    of_application = [each.facts.get("utility") for each in examined.entries_of("application.submitted")]
    if (claims.get("iss"), claims.get("aud")) != (examined.issuer, utility) or of_application != [utility]:
        raise Refused("the statement is another gateway's, or for another utility")
    expected = {
        "application_id": examined.application,
        "contract_id": text_of(entry.facts, "contract"),
        "version": number_of(entry.facts, "version"),
        "verified_by": text_of(entry.facts, "verified_by"),
    }
    if {each: claims.get(each) for each in expected} != expected:
        raise Refused("the statement is about another contract, or another signature, than the record")
    if (line.get("version"), line.get("sha256")) != (claims["version"], text_of(claims, "contract_sha256")):
        raise Refused("the account is of another version or document than the statement")
    if max(abs(instant_of(claims, "signed_at") - entry.at), abs(epoch(claims.get("iat")) - entry.at)) > TOLD_ROUGHLY:
        raise Refused("the statement is of another time than the record")
    _require_offer(examined, entry)
    facts = {"contract": claims["contract_id"], "version": claims["version"], "method": claims["verified_by"]}
    examined.say(PROVED, "contract", name, **facts, at=told(entry.at))
    return claims


def _require_offer(examined: Examination, entry: Entry) -> None:
    """The utility's offer of the same document, in force when it was signed. Raises ``Refused``, ``NotProved``."""
    same = ("contract", "version", "utility", "document_digest")
    offers = [
        each
        for each in examined.entries_of("contract.offered")
        if each.facts.get("contract") == entry.facts.get("contract")
    ]
    if not offers:
        raise NotProved("the bundle has no entry of its offer")
    for offer in offers:
        if (
            any(offer.facts.get(each) != entry.facts.get(each) for each in same)
            or offer.actor != offer.facts["utility"]
        ):
            raise Refused("another document was offered than was signed, or by somebody else")
        if not offer.at - TOLD_ROUGHLY <= entry.at < instant_of(offer.facts, "valid_until"):
            raise Refused("it was not open when it was signed")


def _document(examined: Examination, entry: Entry, line: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """The digest of the statement, by its opening the one on record (HMAC-SHA256, RFC 2104); the bytes that have it."""
    digest, recorded = text_of(claims, "contract_sha256"), text_of(entry.facts, "document_digest")
    if not re.fullmatch(r"[0-9a-f]{64}", text_of(line, "opening")):
        raise Refused("its opening cannot be read")
    opening = bytes.fromhex(line["opening"])
    if hmac.digest(opening, utf8(digest), "sha256").hex() != recorded:
        raise Refused("the document's digest under this opening is not the one that was recorded")
    names = [f"contracts/{digest}.{suffix}" for suffix in ("pdf", "txt")]
    examined.seen |= {*names}
    found = [each for each in names if each in examined.files]
    if not found:
        mark, why = examined.why_absent("contract_document", recorded)
        examined.say(mark, "contract.absent", entry.where, contract=claims["contract_id"], what="document", why=why)
        return
    for name in found:
        if sha256_hex(examined.files[name]) != digest:
            raise Refused("the document is not the one that was signed")
    examined.say(PROVED, "contract.document", found[0], contract=claims["contract_id"], digest=digest)


def _assertion(examined: Examination, entry: Entry, claims: Mapping[str, Any]) -> None:
    """The identity provider's signature over a nonce that ends with the digest of this document as this contract."""
    parts = (examined.application, claims["contract_id"], str(claims["version"]), claims["contract_sha256"])
    subject = sha256_hex(utf8("\0".join(("bandian-contract", *parts))))
    if claims.get("subject_sha256") != subject:
        raise Refused("the statement binds another document than it names")
    digest = text_of(claims, "assertion_sha256")
    name = f"contracts/{digest}.jws"
    examined.seen.add(name)
    if name not in examined.files:
        mark, why = examined.why_absent("contract_assertion", digest)
        examined.say(mark, "contract.absent", entry.where, contract=claims["contract_id"], what="assertion", why=why)
        return
    data = examined.files[name]
    if sha256_hex(data) != digest:
        raise Refused("the assertion is not the one that the statement names")
    token = Jws.read(data, "identity-assertion+jwt")
    said = token.claims()
    issuer, audience = examined.anchors.identity_issuer, examined.anchors.identity_audience
    if issuer is None:
        raise NotProved("DIR does not name the identity provider")
    if said.get("iss") != issuer:
        raise Refused("the assertion is another issuer's")
    require_audience(audience, said)
    secret, _, bound_to = text_of(said, "nonce").rpartition(".")
    if not secret or bound_to != subject:
        raise Refused("the assertion was not made for this document")
    verified_at, expires_at = epoch(said.get("iat")), epoch(said.get("exp"))
    if not verified_at - SKEW <= entry.at <= verified_at + FRESH_FOR + SKEW or expires_at < verified_at:
        raise Refused("the assertion is not of the time of the signature")
    if said.get("amr") != [claims.get("verified_by")]:
        raise Refused("the assertion is of another way of verifying than the record has")
    verify_by_one(token, examined.anchors.identity, "any", entry.at, "the identity provider")
    if audience is None:
        examined.say(UNKNOWN, "identity.audience", name)
    if not examined.applicant:
        raise NotProved("who applied is not proved, so neither is that they signed")
    if principal(said) != examined.applicant:
        raise Refused("somebody else than the applicant was verified for it")
    named = {"contract": claims["contract_id"], "issuer": said["iss"], "method": said["amr"][0]}
    examined.say(PROVED, "contract.assertion", name, **named)
