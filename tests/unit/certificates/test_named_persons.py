"""Whom a certificate names beside its holder: found by a whole, sound number, and known by a keyed digest alone."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.certificates.kind import CertificateKind, NamedOthers
from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.kinds.property_certificate import KIND as PROPERTY
from gateway.certificates.kinds.resident_id import KIND as CARD
from gateway.certificates.named_persons import NOBODY, OthersNamed, others_named, person_digest
from gateway.crypto.keyed_digest import Use
from schemas.identifiers import former_resident_identity_number, make_resident_identity_number
from tests.support.ecertificates import ENTERPRISE, Province
from tests.support.storage import DIGESTS

WANG = make_resident_identity_number("110101", date(1949, 12, 31), 2)
LIU = make_resident_identity_number("440103", date(1960, 1, 1), 31)
UNSOUND = "110101194912310020"
NUMBER = "粤(2024)广州市不动产权第0000001号"
PROVINCE = Province()


def named(kind: CertificateKind = PROPERTY, holder: str = ENTERPRISE, **said: str) -> tuple[str, ...]:
    claims = kind.claims_model.model_validate(PROVINCE.metadata(kind.code, **said))
    return others_named(kind, claims, holder, DIGESTS).persons


def known(*numbers: str) -> tuple[str, ...]:
    return tuple(sorted(person_digest(number, DIGESTS) for number in numbers))


def test_owners_are_found_wherever_the_certificate_lists_them() -> None:
    both = f"{ENTERPRISE}、{WANG}"
    assert named(CZZT="示例有限公司、王", CZZTDM=both) == known(WANG)
    assert named(KZ_QLR="示例有限公司、王", KZ_QLRZJH=both) == known(WANG)
    assert named(KZ_GYQK=f"与王（{WANG}）、刘（{LIU}）按份共有") == known(WANG, LIU)
    assert named(CZZT="王、刘", CZZTDM=f"{WANG}、{LIU}", KZ_QLR="王、刘", KZ_QLRZJH=f"{WANG}、{LIU}") == known(
        WANG, LIU
    )


def test_the_holder_in_question_is_nobody_else() -> None:
    said = {"CZZT": "王、刘", "CZZTDM": f"{WANG}、{LIU}"}
    assert named(holder=WANG, **said) == known(LIU)
    assert named(holder=LIU, **said) == known(WANG)
    former = former_resident_identity_number(WANG)
    assert former
    assert named(holder=WANG, CZZT="王、刘", CZZTDM=f"{former}、{LIU}") == known(LIU), "GB 11643: one person"


def test_the_number_of_before_leads_to_the_same_person() -> None:
    former = former_resident_identity_number(WANG)
    assert named(KZ_QLRZJH=f"{former}") == known(WANG)


@pytest.mark.parametrize("between", ["、", ",", "，", ";", " / ", "\u3000", "\n"])
def test_however_the_register_writes_them(between: str) -> None:
    wide = WANG.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789X"})
    assert named(KZ_QLRZJH=between.join([ENTERPRISE, wide, LIU.lower()])) == known(WANG, LIU)


@pytest.mark.parametrize(
    "code",
    [
        "110***********0021",
        WANG[:-4] + "****",
        f"*{WANG}",
        f"{WANG}*",
        f"1{WANG}",
        f"{WANG}0",
        NOBODY,
        "E12345678",
        "王",
    ],
)
def test_what_is_masked_or_is_no_sound_number_leads_to_nobody(code: str) -> None:
    assert named(KZ_QLRZJH=f"{ENTERPRISE}、{code}") == ()


def test_a_licence_names_its_legal_representative_and_a_card_nobody_else() -> None:
    assert named(LICENCE, KZ_FDDBRZJH=WANG) == known(WANG)
    assert named(LICENCE) == ()
    assert others_named(CARD, None, WANG, DIGESTS) == NOBODY
    assert CARD.others is None


def test_they_know_the_certificate_by_the_number_on_their_own_paper() -> None:
    claims = PROPERTY.claims_model.model_validate(
        PROVINCE.metadata("property_certificate", KZ_BDCQZH=NUMBER, KZ_QLRZJH=f"{ENTERPRISE}、{WANG}")
    )
    assert others_named(PROPERTY, claims, ENTERPRISE, DIGESTS) == OthersNamed(known(WANG), NUMBER)
    assert NUMBER not in repr(others_named(PROPERTY, claims, ENTERPRISE, DIGESTS))
    alone = claims.model_copy(update={"owner_codes": ENTERPRISE})
    assert others_named(PROPERTY, alone, ENTERPRISE, DIGESTS) == NOBODY, "and nothing is kept for nobody"


def test_the_digest_is_of_a_use_of_its_own() -> None:
    assert person_digest(WANG, DIGESTS) != DIGESTS.of(Use.HOLDER, WANG)


def test_others_are_told_of_nothing_that_the_kind_does_not_disclose() -> None:
    with pytest.raises(ValueError, match="does not disclose"):
        CertificateKind(
            code="made_up",
            title="",
            type_codes=("x",),
            claims_model=PROPERTY.claims_model,
            holder_types=PROPERTY.holder_types,
            fields=PROPERTY.fields,
            others=NamedOthers(lambda claims: (), frozenset({"mortgage"})),
        )
    assert PROPERTY.others is not None
    listed = {item.name for item in PROPERTY.fields if item.of_holders}
    assert PROPERTY.others.fields.isdisjoint(listed | {"held_by", "owner_matches", "address_matches"})


@given(st.text(max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    found = named(KZ_GYQK=text or "-")
    assert all(len(each) == 64 for each in found)
