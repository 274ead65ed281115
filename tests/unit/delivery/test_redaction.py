"""An officer sees how a body is built and never whose it is."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.redaction import SHOWN, redacted

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def test_codes_are_shown_and_persons_are_not() -> None:
    body = {
        "application_id": "app_01",
        "applicant": {"name": "张三", "code": "440103199001011234", "permits": ["road"]},
        "document": "https://x.example",
        "status": "张三的房屋",
        "outcome_id": "440103199001011234",
    }
    assert redacted(body) == {
        "application_id": "app_01",
        "applicant": {"name": "▒ 2", "code": "▒ 18", "permits": ["road"]},
        "document": "https://x.example",
        "status": "▒ 5",
        "outcome_id": "▒ 18",
    }


@given(st.dictionaries(st.text(max_size=12).filter(lambda name: name not in SHOWN), TREES, max_size=5))
def test_nothing_of_an_unknown_member_is_shown(body: dict[str, object]) -> None:
    def leaves(value: object, shown: bool = False) -> list[object]:
        if isinstance(value, dict):
            return [leaf for name, each in value.items() for leaf in leaves(each, name in SHOWN)]
        if isinstance(value, list):
            return [leaf for each in value for leaf in leaves(each, shown)]
        return [] if shown else [value]

    for told in leaves(redacted(body)):
        assert told is None or isinstance(told, bool) or str(told).startswith("▒")
    json.dumps(redacted(body))
