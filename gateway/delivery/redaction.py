"""What of an event's body officers see: its shape and what is no person's. Pure.

Values are shown for members that hold codes, ids and times of ours, named here; everything else is replaced by how long
it is. What is not named stays hidden, so that a member that a later release adds is hidden until somebody thinks of it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

SHOWN: Final = frozenset(
    [
        "application_id",
        "authorisation_id",
        "clause",
        "contract_id",
        "customer_class",
        "decided_at",
        "department",
        "document",
        "due_on",
        "due_provisional",
        "event_id",
        "intake",
        "kind",
        "kinds",
        "mode",
        "mode_clause",
        "outcome",
        "outcome_id",
        "permit",
        "permit_id",
        "permits",
        "purposes",
        "received_at",
        "record_id",
        "region",
        "review_id",
        "sequence",
        "source",
        "state",
        "status",
        "supersedes",
        "type",
        "until",
        "utility",
        "verdict",
        "version",
        "withdrawn_at",
    ]
)
_PLAIN: Final = re.compile(r"[\x20-\x7e第（）()〇一二三四五六七八九十百、条款项]{0,128}")
_NUMBER_OF_A_PERSON: Final = re.compile(r"[0-9]{15,17}[0-9Xx]?|[0-9A-Z]{18}|1[3-9][0-9]{9}")


def redacted(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` with the same members, and values in ``SHOWN`` ones alone."""
    return {name: _value(value, shown=name in SHOWN) for name, value in data.items()}


def _value(value: Any, *, shown: bool) -> Any:
    if isinstance(value, Mapping):
        return redacted(value)
    if isinstance(value, list):
        return [_value(each, shown=shown) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if shown and not isinstance(value, str):
        return value
    if shown and isinstance(value, str) and _PLAIN.fullmatch(value) and not _NUMBER_OF_A_PERSON.search(value):
        return value
    return f"▒ {len(value)}" if isinstance(value, str) else "▒"
