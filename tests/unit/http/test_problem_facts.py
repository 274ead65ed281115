"""A refusal's typed facts are in its problem document, as plain JSON and only when there are any."""

import json
import typing
from dataclasses import fields
from enum import StrEnum
from typing import Any

import pytest

from gateway.applications.errors import DocumentNotAllowed, IntakeIncomplete
from gateway.errors import GatewayError, NotFound, Owner, PartnerUnavailable
from gateway.http.errors import RateLimited
from gateway.http.problems import error_response
from gateway.identity.errors import VerificationFailed
from gateway.partners.errors import AgreementRefused, Dimension
from gateway.wording.phrases import Language
from tests.support.errors import every_error

OWN: dict[str, Any] = {"check": "test.check", "owner": Owner.CALLER, "remedy": "请重试"}
PLAIN = {str, int, float, bool, type(None)}


def document(error: GatewayError) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(bytes(error_response(error, Language.CHINESE).body))
    return read


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (IntakeIncomplete(**OWN, documents=("id_card", "property")), {"documents": ["id_card", "property"]}),
        (
            DocumentNotAllowed(**OWN, stage="acceptance", allowed=("id_card",)),
            {"stage": "acceptance", "allowed": ["id_card"]},
        ),
        (VerificationFailed(**OWN, alternatives=["sms", "window"]), {"alternatives": ["sms", "window"]}),
        (AgreementRefused(**OWN, dimension=Dimension.FIELDS), {"dimension": "fields"}),
        (PartnerUnavailable(**OWN, partner="planning"), {"partner": "planning"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_typed_facts_are_told(error: GatewayError, facts: dict[str, Any]) -> None:
    assert document(error)["facts"] == facts


def test_what_has_its_own_member_is_not_told_twice() -> None:
    told = document(RateLimited(**OWN, retry_after=7, limit="1/minute"))
    assert told["retry_after"] == 7
    assert told["facts"] == {"limit": "1/minute"}


@pytest.mark.parametrize("error", [NotFound(**OWN), VerificationFailed(**OWN)], ids=["none declared", "none given"])
def test_without_facts_there_is_no_such_member(error: GatewayError) -> None:
    assert "facts" not in document(error)


def test_every_declared_fact_of_every_error_can_be_told() -> None:
    base = {field.name for field in fields(GatewayError)}
    for error in every_error():
        for name, hint in typing.get_type_hints(error).items():
            if name in base or name not in {field.name for field in fields(error)}:
                continue
            kinds = typing.get_args(hint) or (hint,)
            plain = [kind for kind in kinds if kind in PLAIN or kind is Ellipsis or _is_text_enum(kind)]
            assert len(plain) == len(kinds), f"{error.__name__}.{name}"


def _is_text_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def test_a_fact_that_is_no_plain_value_is_kept_back() -> None:
    error = PartnerUnavailable(**OWN, partner=object())  # type: ignore[arg-type]
    assert "facts" not in document(error)
