"""Certification paths: certificates, revocation lists and OCSP responses as bytes, each case wrong in one way."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gateway.crypto import sm2
from gateway.crypto.der import parse
from tests.support import x509_writer as w
from tests.support.x509_writer import AT, DAY, HOUR, Entity, Revoked

VALID, INVALID, UNKNOWN = "valid", "invalid", "indeterminate"
SEAL_PURPOSE, TLS_PURPOSE, OCSP_PURPOSE = "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.9"
UNKNOWN_EXTENSION = w.extension("1.2.3.4.5", b"\x05\x00", critical=True)


@dataclass(frozen=True)
class Case:
    """One question to ``verify_chain`` and its answer. ``lists`` and ``answers`` None leave that source out."""

    name: str
    leaf: bytes
    between: Sequence[bytes]
    anchors: Sequence[bytes]
    verdict: str
    check: str | None
    why: str
    lists: Sequence[bytes] | None = None
    answers: Sequence[bytes] | None = None
    policies: Sequence[str] | None = None

    def told(self) -> dict[str, Any]:
        def text(data: Sequence[bytes] | None) -> list[str] | None:
            return None if data is None else [base64.b64encode(each).decode() for each in data]

        return {
            "name": self.name,
            "leaf": text([self.leaf])[0],  # type: ignore[index]
            "intermediates": text(self.between),
            "anchors": text(self.anchors),
            "crls": text(self.lists),
            "status": text(self.answers),
            "policies": self.policies,
            "verdict": self.verdict,
            "check": self.check,
            "why": self.why,
        }


@dataclass(frozen=True)
class Pki:
    """A root, a CA below it, a leaf below that, and what makes more of them."""

    root: Entity
    ca: Entity
    leaf: Entity
    make_key: Callable[[], w.Key]

    @classmethod
    def build(cls, make_key: Callable[[], w.Key]) -> "Pki":
        root = w.root("测试根", key=make_key())
        ca = root.issue_ca("测试中间机构", path_length=0, key=make_key())
        return cls(root, ca, ca.issue("测试签章者", key=make_key()), make_key)

    def case(self, name: str, verdict: str, check: str | None, why: str, **changes: Any) -> Case:
        own = Case(name, self.leaf.certificate, [self.ca.certificate], [self.root.certificate], verdict, check, why)
        return replace(own, **changes)

    def under(self, *extensions: bytes, **more: Any) -> bytes:
        """A leaf below the CA."""
        return self.ca.issue("测试签章者", *extensions, key=self.make_key(), **more).certificate


def cases() -> list[dict[str, Any]]:
    pki, national = Pki.build(w.p256), Pki.build(sm2.generate_private_key)
    makers = (_paths, _constraints, _forests, _lists, _responses)
    found = [case.told() for maker in makers for case in maker(pki)]
    return found + [case.told() | {"name": f"sm2-{case.name}"} for case in (*_sm2(national), *_lists(national))]


def _paths(pki: Pki) -> Iterator[Case]:
    yield pki.case("good", VALID, None, "Nothing is wrong with it.")
    key = pki.leaf.key
    yield pki.case("expired", INVALID, "chain.expired", "The leaf ended yesterday.", leaf=pki.under(not_after=AT - DAY))
    early = pki.under(not_before=AT + DAY)
    yield pki.case("not-yet", INVALID, "chain.not_yet_valid", "The leaf begins tomorrow.", leaf=early)
    last = pki.under(not_after=AT)
    yield pki.case("last-second", VALID, None, "Nothing is wrong with it: notAfter is included.", leaf=last)
    spoilt = bytearray(pki.leaf.certificate)
    spoilt[-1] ^= 1
    yield pki.case("signature", INVALID, "chain.signature", "The leaf's signature has a wrong bit.", leaf=bytes(spoilt))
    other = w.root("测试根")
    yield pki.case(
        "impostor",
        INVALID,
        "chain.signature",
        "The anchor bears the name and another key.",
        anchors=[other.certificate],
    )
    stranger = w.root("别的根")
    yield pki.case("stranger", UNKNOWN, "chain.no_anchor", "No anchor of that name.", anchors=[stranger.certificate])
    yield pki.case("no-anchors", UNKNOWN, "chain.no_anchor", "There is no anchor at all.", anchors=[])
    yield pki.case("missing-ca", UNKNOWN, "chain.no_anchor", "The CA between is not at hand.", between=[])
    carried = [pki.ca.certificate, pki.root.certificate]
    yield pki.case(
        "carried-root",
        UNKNOWN,
        "chain.no_anchor",
        "A root that came along is not trusted for it.",
        between=carried,
        anchors=[],
    )
    yield pki.case("cut", INVALID, "chain.malformed", "The leaf lacks its last byte.", leaf=pki.leaf.certificate[:-1])
    yield pki.case(
        "trailing", INVALID, "chain.malformed", "A byte follows the leaf.", leaf=pki.leaf.certificate + b"\0"
    )
    rsa = w.seq(w.oid("1.2.840.113549.1.1.11"), b"\x05\x00")
    mixed = pki.ca.issue("测试签章者", key=key, inner_algorithm=rsa).certificate
    yield pki.case(
        "two-algorithms", INVALID, "chain.malformed", "Inside it says another algorithm than outside.", leaf=mixed
    )
    twice = pki.under(w.SEAL, w.SEAL)
    yield pki.case("twice", INVALID, "chain.malformed", "One extension stands twice.", leaf=twice)
    unknown = pki.under(w.SEAL, UNKNOWN_EXTENSION)
    yield pki.case("critical", INVALID, "chain.critical_extension", "An unknown extension is critical.", leaf=unknown)
    harmless = pki.under(w.SEAL, w.extension("1.2.3.4.5", b"\x05\x00"))
    yield pki.case(
        "not-critical",
        VALID,
        None,
        "Nothing is wrong with it: an unknown extension that is not critical.",
        leaf=harmless,
    )
    encrypting = pki.under(w.usage(2, 3))
    yield pki.case("key-usage", INVALID, "chain.key_usage", "The leaf may encrypt and not sign.", leaf=encrypting)
    tls = pki.under(w.SEAL, w.purposes(TLS_PURPOSE))
    yield pki.case("purpose", INVALID, "chain.extended_key_usage", "The leaf is for TLS servers.", leaf=tls)
    sealing = pki.under(w.SEAL, w.purposes(SEAL_PURPOSE))
    yield pki.case(
        "seal-purpose", VALID, None, "Nothing is wrong with it: the leaf is for signing documents.", leaf=sealing
    )
    negative = w.make("测试签章者", issuer=pki.ca, validity=w.seq(w.utc(AT - DAY), b"\x17\x0b2612010000Z"))
    yield pki.case("no-seconds", INVALID, "chain.malformed", "notAfter has no seconds.", leaf=negative.certificate)


def _constraints(pki: Pki) -> Iterator[Case]:
    def through(
        name: str, ca: Entity, verdict: str, check: str | None, why: str, *extensions: bytes, **more: Any
    ) -> Case:
        leaf = ca.issue(more.pop("subject", "测试签章者"), *(extensions or (w.SEAL,)))
        return pki.case(name, verdict, check, why, leaf=leaf.certificate, between=[ca.certificate], **more)

    none = pki.root.issue("无约束", w.CA_USAGE)
    yield through("no-basic-constraints", none, INVALID, "chain.not_a_ca", "The CA has no basicConstraints.")
    false = pki.root.issue("非CA", w.extension("2.5.29.19", w.seq(), critical=True), w.CA_USAGE)
    yield through("ca-false", false, INVALID, "chain.not_a_ca", "basicConstraints says that it is no CA.")
    old = w.make("旧版CA", issuer=pki.root, version=1)
    yield through("version-1", old, INVALID, "chain.not_a_ca", "A CA of version 1 cannot say that it is one.")
    unable = pki.root.issue("不能签证书", w.ca(), w.usage(6))
    yield through("no-cert-sign", unable, INVALID, "chain.key_usage", "The CA may sign lists and not certificates.")
    below = pki.ca.issue_ca("下级")
    leaf = below.issue("测试签章者", w.SEAL).certificate
    long = [pki.ca.certificate, below.certificate]
    yield pki.case(
        "path-length", INVALID, "chain.path_length", "pathLen 0, and a CA below it.", leaf=leaf, between=long
    )
    own = Entity(pki.ca.subject, w.p256(), b"", 0)
    renewed = w.make(pki.ca.subject, w.ca(0), w.CA_USAGE, issuer=pki.ca, key=own.key)
    leaf = renewed.issue("测试签章者", w.SEAL).certificate
    rolled = [pki.ca.certificate, renewed.certificate]
    yield pki.case(
        "self-issued",
        VALID,
        None,
        "Nothing is wrong with it: a self-issued CA does not count.",
        leaf=leaf,
        between=rolled,
    )

    inside = pki.root.issue_ca("域内", w.name_constraints(permitted=[w.dns("example.cn")]))
    good, bad = w.alternative_names(w.dns("a.example.cn")), w.alternative_names(w.dns("a.example.com"))
    yield through(
        "dns-inside", inside, VALID, None, "Nothing is wrong with it: a name inside the subtree.", w.SEAL, good
    )
    yield through(
        "dns-outside", inside, INVALID, "chain.name_constraints", "A DNS name outside the subtree.", w.SEAL, bad
    )
    beside = w.alternative_names(w.dns("notexample.cn"))
    yield through(
        "dns-beside", inside, INVALID, "chain.name_constraints", "The subtree's name is only a suffix.", w.SEAL, beside
    )
    people = pki.root.issue_ca("人名", w.name_constraints(excluded=[w.directory(w.name("测试签章者"))]))
    yield through(
        "directory-excluded", people, INVALID, "chain.name_constraints", "The subject lies in an excluded subtree."
    )
    loose = pki.root.issue_ca("不关键", w.name_constraints(permitted=[w.dns("example.cn")], critical=False))
    yield through(
        "constraints-not-critical",
        loose,
        INVALID,
        "chain.critical_extension",
        "Name constraints that are not critical.",
    )
    demand = pki.root.issue_ca("要求策略", w.policies("1.2.3"), w.policy_constraints(0))
    yield through(
        "policy", demand, VALID, None, "Nothing is wrong with it: the policy is there.", w.SEAL, w.policies("1.2.3")
    )
    yield through("no-policy", demand, INVALID, "chain.policy", "A CA demands a policy and the leaf has none.")
    other = (w.SEAL, w.policies("1.2.4"))
    yield through("other-policy", demand, INVALID, "chain.policy", "The leaf has another policy.", *other)
    asked = (w.SEAL, w.policies("1.2.3"))
    free = pki.root.issue_ca("有策略", w.policies("1.2.3"))
    yield through(
        "asked-policy",
        free,
        VALID,
        None,
        "Nothing is wrong with it: the asked policy is there.",
        *asked,
        policies=["1.2.3"],
    )
    yield through(
        "asked-other-policy", free, INVALID, "chain.policy", "Another policy is asked for.", *asked, policies=["1.2.9"]
    )
    purposed = pki.root.issue_ca("限用途", w.purposes(TLS_PURPOSE))
    yield through("ca-purpose", purposed, INVALID, "chain.extended_key_usage", "The CA is for TLS alone.")


def _forests(pki: Pki) -> Iterator[Case]:
    other = w.root("别的根")
    crossed = w.make(pki.ca.subject, w.ca(0), w.CA_USAGE, issuer=other, key=pki.ca.key)
    both = [crossed.certificate, pki.ca.certificate]
    yield pki.case(
        "cross-signed", VALID, None, "Nothing is wrong with it: one of two paths ends at the anchor.", between=both
    )
    expired = w.make(pki.ca.subject, w.ca(0), w.CA_USAGE, issuer=pki.root, key=pki.ca.key, not_after=AT - DAY)
    two = [expired.certificate, pki.ca.certificate]
    yield pki.case(
        "renewed-ca",
        VALID,
        None,
        "Nothing is wrong with it: beside the CA stands its expired certificate.",
        between=two,
    )
    yield pki.case(
        "expired-ca", INVALID, "chain.expired", "The CA's only certificate has expired.", between=[expired.certificate]
    )
    ring = [
        w.make(f"环{number}", w.ca(), w.CA_USAGE, issuer_name=w.name(f"环{(number + 1) % 3}")) for number in range(3)
    ]
    leaf = ring[0].issue("测试签章者", w.SEAL).certificate
    circle = [each.certificate for each in ring]
    yield pki.case(
        "circle", INVALID, "chain.signature", "The CAs name each other in a circle.", leaf=leaf, between=circle
    )
    twins = [w.make("同名", w.ca(), w.CA_USAGE, issuer_name=w.name("同名")) for _ in range(70)]
    leaf = twins[0].issue("测试签章者", w.SEAL, identifiers=False).certificate
    crowd = [each.certificate for each in twins]
    why = "Seventy CAs of one name: the search stops at its limit."
    yield pki.case("crowd", INVALID, "chain.work_limit", why, leaf=leaf, between=crowd)


def _lists(pki: Pki) -> Iterator[Case]:
    top, ca = w.crl(pki.root), pki.ca
    serial = pki.leaf.serial

    def listed(name: str, verdict: str, check: str | None, why: str, *lists: bytes, **more: Any) -> Case:
        return pki.case(f"crl-{name}", verdict, check, why, lists=lists, **more)

    unknown = (UNKNOWN, "chain.revocation_unknown")
    yield listed("good", VALID, None, "Nothing is wrong with it: two fresh lists without an entry.", w.crl(ca), top)
    yield listed("revoked", INVALID, "chain.revoked", "The leaf is on the list.", w.crl(ca, Revoked(serial)), top)
    held = w.crl(ca, Revoked(serial, reason=6))
    yield listed("held", INVALID, "chain.suspended", "The leaf is on hold.", held, top)
    gone = w.crl(pki.root, Revoked(ca.serial))
    yield listed("ca-revoked", INVALID, "chain.revoked", "The CA is on the root's list.", w.crl(ca), gone)
    yield listed("none", *unknown, "No list is at hand.")
    yield listed("one-missing", *unknown, "The root's list is missing.", w.crl(ca))
    stale = w.crl(ca, this_update=AT - 3 * DAY, next_update=AT - 2 * DAY)
    yield listed("stale", *unknown, "The list's next update is past.", stale, top)
    yield listed("no-end", *unknown, "The list names no next update.", w.crl(ca, next_update=None), top)
    future = w.crl(ca, this_update=AT + HOUR, next_update=AT + DAY)
    yield listed("future", *unknown, "The list was made in the future.", future, top)
    forged = w.crl(ca, key=pki.make_key())
    yield listed("forged", *unknown, "Another key than the CA's signed the list.", forged, top)
    strange = w.crl(ca, extensions=[UNKNOWN_EXTENSION])
    yield listed("critical", *unknown, "An unknown extension of the list is critical.", strange, top)
    entry = w.crl(ca, Revoked(99, extensions=(UNKNOWN_EXTENSION,)))
    yield listed("entry-critical", *unknown, "An unknown extension of an entry is critical.", entry, top)
    yield listed("delta", *unknown, "A delta list tells only what changed.", w.crl(ca, base=1), top)
    others = w.crl(ca, extensions=[w.scope(authorities=True)])
    yield listed("only-cas", *unknown, "The list is about CAs alone.", others, top)
    some = w.crl(ca, extensions=[w.scope(reasons=w.bits(1))])
    yield listed("some-reasons", *unknown, "The list tells of key compromise alone.", some, top)
    yield listed("cut", *unknown, "The list lacks its last byte.", w.crl(ca)[:-1], top)
    stranger = Entity(w.name("别的机构"), pki.make_key(), b"", 1)
    yield listed("other-issuer", *unknown, "The list is another CA's.", w.crl(stranger), top)


def _responses(pki: Pki) -> Iterator[Case]:
    top, ca = w.crl(pki.root), pki.ca
    about = w.certificate_id(pki.leaf, ca)

    def told(name: str, verdict: str, check: str | None, why: str, *answers: bytes) -> Case:
        return pki.case(f"ocsp-{name}", verdict, check, why, lists=[top], answers=answers)

    unknown = (UNKNOWN, "chain.revocation_unknown")
    good = w.single(about)
    yield told("good", VALID, None, "Nothing is wrong with it: the CA itself says good.", w.ocsp(ca, good))
    revoked = w.ocsp(ca, w.single(about, w.revoked_since()))
    yield told("revoked", INVALID, "chain.revoked", "The response says revoked.", revoked)
    yield told("unknown", *unknown, "The response says unknown.", w.ocsp(ca, w.single(about, w.UNKNOWN)))
    stale = w.single(about, this_update=AT - 2 * DAY, next_update=AT - DAY)
    yield told("stale", *unknown, "The response's next update is past.", w.ocsp(ca, stale))
    other = w.single(w.certificate_id(pki.leaf, ca, serial=4711))
    yield told("other-serial", *unknown, "The response is about another certificate.", w.ocsp(ca, other))
    forged = w.ocsp(ca, good, key=pki.make_key())
    yield told("forged", *unknown, "Another key than the CA's signed it.", forged)
    own = w.ocsp(pki.leaf, good, certificates=[pki.leaf])
    yield told("by-the-leaf", *unknown, "The leaf vouches for itself.", own)
    helper = ca.issue("应答者", w.SEAL, w.purposes(OCSP_PURPOSE), w.NO_CHECK)
    yield told(
        "delegated",
        VALID,
        None,
        "Nothing is wrong with it: a responder that the CA named.",
        w.ocsp(helper, good, certificates=[helper]),
    )
    plain = ca.issue("应答者", w.SEAL)
    yield told(
        "not-delegated", *unknown, "The responder lacks the OCSP purpose.", w.ocsp(plain, good, certificates=[plain])
    )
    far = pki.root.issue("应答者", w.SEAL, w.purposes(OCSP_PURPOSE), w.NO_CHECK)
    yield told("other-ca", *unknown, "The responder is another CA's.", w.ocsp(far, good, certificates=[far]))
    cut = w.ocsp(ca, good)[:-1]
    yield told("cut", *unknown, "The response lacks its last byte.", cut)
    late = w.seq(w.encode(0x0A, b"\x03"))
    yield told("try-later", *unknown, "The responder says: try later.", late)


def _sm2(pki: Pki) -> Iterator[Case]:
    yield pki.case("good", VALID, None, "Nothing is wrong with it.")
    changed = bytearray(pki.leaf.certificate)
    changed[parse(pki.leaf.certificate).raw.index("测试签章者".encode())] ^= 1
    yield pki.case("changed", INVALID, "chain.signature", "A byte of the subject was changed.", leaf=bytes(changed))
    mixed = w.root("测试根")
    below = mixed.issue_ca("测试中间机构", key=pki.ca.key)
    between, anchors = [below.certificate], [mixed.certificate]
    yield pki.case(
        "mixed",
        VALID,
        None,
        "Nothing is wrong with it: an SM2 CA under a P-256 root.",
        between=between,
        anchors=anchors,
    )
    long = pki.under(not_after=AT - timedelta(seconds=1))
    yield pki.case("expired", INVALID, "chain.expired", "The leaf ended a second ago.", leaf=long)
