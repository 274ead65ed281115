"""Two worlds that differ only in what the applicants do give somebody whom their certificates name the same view."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.reviews import LOOKED_AT
from gateway.certificates.registry import KindRegistry
from gateway.evidence.service import BUNDLED
from gateway.licences.service import DISCLOSED
from gateway.progress.named_accesses import accesses_naming
from gateway.progress.ports import EntryNaming
from gateway.records.entries import Fact, RecordEntry, Result, encode_entry
from gateway.records.merkle import leaf_hash
from gateway.records.ports import StoredEntry
from tests.support.ecertificates import AT

KINDS = KindRegistry.discover()
RIGHT = "property_certificate"
WHO = ("csg-guangzhou", "csg-foshan")
ABOUT_ALL = ["location", "name", "number", "property_unit_code", "valid_on"]
ABOUT_THE_APPLICANT = ["address_matches", "held_by", "holder", "holder_code", "owner_matches", "owners"]
CERTIFICATES = ("a" * 64, "b" * 64)


@dataclass(frozen=True)
class Seen:
    """What a co-owner may know: this certificate, seen by whom, when, for what, which fields of it."""

    minute: int
    who: str
    fields: frozenset[str]
    certificate: str


@dataclass(frozen=True)
class Dealings:
    """What they may not: one applicant's side of it. ``of`` says for which of their applications each access was."""

    of: tuple[int, ...]
    names: tuple[str, ...]
    stages: tuple[str, ...]
    about_the_applicant: frozenset[str]
    noise: tuple[tuple[str, int, str], ...]
    """Entries of a kind, at a minute, by somebody, that show nothing of the certificate."""


def entry(action: str, minute: int, who: str, subject: str, result: Result = "done", **facts: Fact) -> RecordEntry:
    return RecordEntry(action, AT + timedelta(minutes=minute), who, subject, result, facts)


def of_noise(kind: str, minute: int, who: str, subject: str) -> RecordEntry:
    certificate, given = CERTIFICATES[0], ["location"]
    if kind == "refused":
        return entry(DISCLOSED, minute, who, subject, "refused", kind=RIGHT, purpose="grid_connection", check="x")
    if kind == "other document":
        return entry(DISCLOSED, minute, who, subject, kind="resident_id", fields=["name"], envelope_sha256="c" * 64)
    if kind == "not valid":
        return entry(DISCLOSED, minute, who, subject, kind=RIGHT, fields=[], envelope_sha256=certificate)
    if kind == "about the applicant":
        return entry(DISCLOSED, minute, who, subject, kind=RIGHT, fields=["held_by"], envelope_sha256=certificate)
    if kind == "own bundle":
        return entry(BUNDLED, minute, "applicant", subject, redacted=False)
    if kind == "redacted bundle":
        return entry(BUNDLED, minute, who, subject, redacted=True)
    if kind == "names others":
        return entry(DISCLOSED, minute, who, subject, kind=RIGHT, fields=given, envelope_sha256="d" * 64)
    return entry(LOOKED_AT, minute, who, subject, fields=["身份核验机构的核验结果：姓名"])


NOISE = (
    *("refused", "other document", "not valid", "about the applicant", "names others"),
    *("own bundle", "redacted bundle", "look at something else"),
)


def stored(number: int, said: RecordEntry) -> StoredEntry:
    leaf = encode_entry(said)
    return StoredEntry("log", number, leaf, leaf_hash(leaf), said.action, said.subject)


def world(accesses: Sequence[Seen], dealings: Dealings) -> list[EntryNaming]:
    """What the database answers: each entry once for each certificate of its application that names the person."""
    entries = [
        entry(
            DISCLOSED,
            each.minute,
            each.who,
            dealings.names[number % len(dealings.names)],
            kind=RIGHT,
            purpose="grid_connection",
            stage=dealings.stages[number % len(dealings.stages)],
            fields=sorted(each.fields | dealings.about_the_applicant),
            clauses=["第（七）条", "第（六）条"],
            authorisation=f"auth_{number}",
            holder_digest="f" * 64,
            envelope_sha256=each.certificate,
        )
        for number, each in zip(dealings.of, accesses, strict=True)
    ]
    entries += [
        of_noise(kind, minute, who, dealings.names[index % len(dealings.names)])
        for index, (kind, minute, who) in enumerate(dealings.noise)
    ]
    return [
        EntryNaming(stored(number, said), RIGHT, certificate, f"number {certificate[0]}")
        for number, said in enumerate(entries, 1)
        for certificate in CERTIFICATES
    ]


minutes, people = st.integers(0, 5000), st.sampled_from(WHO)
seen = st.builds(
    Seen,
    minutes,
    people,
    st.frozensets(st.sampled_from(ABOUT_ALL), min_size=1),
    st.sampled_from(CERTIFICATES),
)


@st.composite
def two_dealings(draw: st.DrawFn, count: int) -> tuple[Dealings, Dealings]:
    def one() -> Dealings:
        return Dealings(
            of=tuple(draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))),
            names=tuple(draw(st.lists(st.text("0123456789abcdef", min_size=8, max_size=8), min_size=1, max_size=4))),
            stages=tuple(draw(st.lists(st.sampled_from(["sign_up", "acceptance"]), min_size=1, max_size=3))),
            about_the_applicant=draw(st.frozensets(st.sampled_from(ABOUT_THE_APPLICANT))),
            noise=tuple(draw(st.lists(st.tuples(st.sampled_from(NOISE), minutes, people), max_size=6))),
        )

    return one(), one()


@given(st.data())
def test_the_view_depends_on_the_accesses_alone(data: st.DataObject) -> None:
    accesses = data.draw(st.lists(seen, max_size=8))
    these, those = data.draw(two_dealings(len(accesses)))
    since = AT + timedelta(minutes=data.draw(st.integers(-1, 5000)))
    shown = accesses_naming(world(accesses, these), KINDS, since)
    order = data.draw(st.permutations(world(accesses, those)))
    assert accesses_naming(order, KINDS, since) == shown
    expected = [each for each in accesses if AT + timedelta(minutes=each.minute) > since]
    assert sorted((each.at, each.who, each.certificate, each.fields) for each in shown) == sorted(
        (AT + timedelta(minutes=each.minute), each.who, f"number {each.certificate[0]}", sorted(each.fields))
        for each in expected
    ), "and each of them is there"


def test_whoever_got_everything_is_told_once_whatever_the_versions() -> None:
    given = stored(1, entry(BUNDLED, 1, "cli:operator", "app_1", redacted=False, bundle_sha256="e" * 64))
    versions = [EntryNaming(given, RIGHT, each, "number 1") for each in CERTIFICATES]
    other = EntryNaming(given, RIGHT, "c" * 64, "number 2")
    shown = accesses_naming([*versions, other], KINDS, AT)
    assert [each.certificate for each in shown] == ["number 1", "number 2"]
    assert accesses_naming([other, *reversed(versions)], KINDS, AT) == shown
    access = shown[0]
    assert (access.who, access.document, access.fields) == ("cli:operator", RIGHT, ["whole_certificate"])


def review(**facts: Any) -> EntryNaming:
    return EntryNaming(stored(1, entry(LOOKED_AT, 1, "operator-gd", "rev_1", **facts)), RIGHT, CERTIFICATES[0])


@given(st.lists(st.sampled_from(["名称", "证件号", "曾用名", "用电地址"]), max_size=4))
def test_of_what_an_officer_compared_they_are_told_what_the_certificate_says_of_them(others: list[str]) -> None:
    said = [f"身份核验机构的核验结果：{each}" for each in others]
    naming = review(fields=[*said, "自然资源部门的不动产权证书：权利人", "自然资源部门的不动产权证书：权利人证件号"])
    (access,) = accesses_naming([naming], KINDS, AT)
    assert (access.who, access.purpose, access.clause) == ("operator-gd", "consistency_review", "第（六）条")
    assert access.fields == ["权利人", "权利人证件号"]
