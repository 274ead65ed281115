"""The application, its authorisation, and who applied."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws, verify_by_one
from ..reading import SKEW, epoch, instant_of, objects_of, sha256_hex, text_of, told, utf8
from ..record import Entry
from ..texts import PROVED, STATED, UNKNOWN, WRONG
from .record import identity_digests, is_identity

TOLD_ROUGHLY: Final = timedelta(seconds=1)
"""Accounts tell times in coarser units than the record."""
BEFORE_SUBMISSION: Final = timedelta(days=32)
"""An intake may wait for a month for an officer after its applicant was verified."""


def check_application(examined: Examination) -> None:
    """The application's account against the entry of its submission."""
    name = "application.json"
    account, submitted = examined.object(name), examined.entries_of("application.submitted")
    if not submitted:
        examined.say(UNKNOWN, "application.nosubmission")
    elif len(submitted) > 1:
        examined.say(WRONG, "application.wrong", submitted[1].where, why="it was submitted twice")
    elif account is not None:
        examined.attempt(lambda: _compare_application(examined, account, submitted[0]), "application.wrong", name)


def _compare_application(examined: Examination, account: Mapping[str, Any], submitted: Entry) -> None:
    if account.get("application_id") != examined.application:
        raise Refused("it is another application")
    for name in ("utility", "region", "customer_class", "intake"):
        if account.get(name) != submitted.facts.get(name):
            raise Refused(f"{name} is another")
    if abs(instant_of(account, "received_at") - submitted.at) > TOLD_ROUGHLY:
        raise Refused("received_at is another")
    facts = {"id": examined.application, "utility": account["utility"], "clazz": account["customer_class"]}
    examined.say(PROVED, "application", "application.json", **facts)
    examined.say(STATED, "application.status", "application.json", status=account.get("status"))


def check_authorisation(examined: Examination) -> None:
    """The words that were agreed to, by their recorded digest."""
    name = "authorisation.json"
    account = examined.object(name)
    worded: set[str] = set()
    if account is None and not examined.entries_of("authorisation.granted"):
        examined.say(UNKNOWN, "authorisation.absent")
    if account is not None:
        examined.attempt(lambda: worded.update(_words(examined, account)), "authorisation.wrong", name)
    for entry in examined.entries_of("authorisation.granted", "authorisation.renewed"):
        if entry.entry_id not in worded:
            examined.say(UNKNOWN, "authorisation.nowords", entry.where, entry=entry.entry_id)


def _words(examined: Examination, account: Mapping[str, Any]) -> Iterator[str]:
    granted = examined.entries_of("authorisation.granted")
    if account.get("application_id") != examined.application or not granted:
        raise Refused("it is another application's, or was never recorded")
    for name in ("utility", "kinds", "purposes"):
        if account.get(name) != granted[0].facts.get(name):
            raise Refused(f"{name} is another")
    if account.get("authorisation_id") != granted[0].facts.get("authorisation"):
        raise Refused("it is another authorisation")
    _compare_times(examined, account, granted[0])
    for statement in objects_of(account, "statements"):
        text, entry = text_of(statement, "text"), examined.entries.get(text_of(statement, "record_id"))
        if entry is None or entry.subject != examined.application:
            raise Refused("it names an entry that is not in the bundle")
        if entry.facts.get("statement_sha256") != sha256_hex(utf8(text)):
            raise Refused("the words are not those whose digest was recorded")
        examined.say(PROVED, "authorisation", "authorisation.json", id=account["authorisation_id"], text=text)
        yield entry.entry_id


def _compare_times(examined: Examination, account: Mapping[str, Any], granted: Entry) -> None:
    """From when and until when it holds, as the record has it."""
    last = examined.entries_of("authorisation.granted", "authorisation.renewed")[-1]
    withdrawn = [each.at for each in examined.entries_of("authorisation.withdrawn")]
    if (account.get("withdrawn_at") is not None) != bool(withdrawn):
        raise Refused("withdrawn_at is another")
    recorded = {"granted_at": granted.at, "until": instant_of(last.facts, "until")}
    for name, at in (*recorded.items(), *(("withdrawn_at", each) for each in withdrawn)):
        if abs(instant_of(account, name) - at) > TOLD_ROUGHLY:
            raise Refused(f"{name} is another")


def check_identity(examined: Examination) -> None:
    """Who applied, by the identity provider's signed assertion."""
    name = "identity/assertion.jws"
    examined.seen.add(name)
    digest = next(iter(sorted(identity_digests(examined))), "")
    if name in examined.files:
        examined.attempt(lambda: _assertion(examined, examined.files[name], digest), "identity.wrong", name)
    elif examined.entries_of("application.submitted"):
        mark, why = examined.why_absent("assertion", digest)
        examined.say(mark, "identity.absent", "", why=why)


def _assertion(examined: Examination, data: bytes, digest: str) -> None:
    recorded = frozenset({digest})
    used = [each for each in examined.entries.values() if is_identity(each, recorded) and each.result == "done"]
    if sha256_hex(data) != digest or not used:
        raise Refused("it is not the one that was recorded for this application")
    if len(used) > 1:
        raise Refused("it was used twice")
    entry = used[0]
    token = Jws.read(data, "identity-assertion+jwt")
    claims = token.claims()
    if examined.anchors.identity_issuer is None:
        raise NotProved("DIR does not name the identity provider")
    if claims.get("iss") != examined.anchors.identity_issuer:
        raise Refused("it is another issuer's")
    for submitted in examined.entries_of("application.submitted"):
        if not -SKEW <= submitted.at - entry.at <= BEFORE_SUBMISSION:
            raise Refused("it was used at another time than that of this application")
    if not epoch(claims.get("iat")) - SKEW <= entry.at <= epoch(claims.get("exp")) + SKEW:
        raise Refused("it was not in force when it was used")
    audience = examined.anchors.identity_audience
    require_audience(audience, claims)
    verify_by_one(token, examined.anchors.identity, "any", entry.at, "the identity provider")
    if audience is None:
        examined.say(UNKNOWN, "identity.audience", "identity/assertion.jws")
    examined.holders = {*_codes(claims, "person", "resident_identity_number")}
    examined.holders |= {*_codes(claims, "enterprise", "unified_social_credit_code")}
    examined.applicant = principal(claims)
    method = claims.get("amr")
    facts = {"issuer": claims["iss"], "method": method[0] if isinstance(method, list) and method else "?"}
    examined.say(PROVED, "identity", "identity/assertion.jws", **facts, at=told(entry.at))


def require_audience(audience: str | None, claims: Mapping[str, Any]) -> None:
    """That an assertion is for the gateway as DIR names it, where it does. Raises ``Refused``."""
    named = claims.get("aud")
    if audience is not None and audience not in (named if isinstance(named, list) else [named]):
        raise Refused("it was issued for somebody else than this gateway")


def principal(claims: Mapping[str, Any]) -> str:
    """For whom the person of an assertion acted: the enterprise's number where it names one, else the person's own."""
    whose, name = ("person", "resident_identity_number")
    if claims.get("enterprise") is not None:
        whose, name = ("enterprise", "unified_social_credit_code")
    return next(_codes(claims, whose, name), "")


def _codes(claims: Mapping[str, Any], whose: str, name: str) -> Iterator[str]:
    """Its number; a resident's also as it was before 18 digits (GB 11643)."""
    holder = claims.get(whose)
    code = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(code, str) and len(code) == 18:
        yield code
        if whose == "person":
            yield code[:6] + code[8:17]
