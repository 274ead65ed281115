"""What does not fit in a request, told without a word of it.

Pydantic's messages and locations can hold what the caller sent (a tag, an unknown member's name). Here a location
keeps only names that the interface itself declares, and each fault is a sentence of ours with the interface's limits.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI

from gateway.wording.catalogues import worded
from gateway.wording.phrases import Language, Phrase
from schemas.problems import FieldFault

MAX_FAULTS: Final = 20
_UNKNOWN: Final = "*"
_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "缺少此项",
    "extra_forbidden": "含有未定义的成员",
    "string_too_short": "长度不得少于 {min_length}",
    "string_too_long": "长度不得超过 {max_length}",
    "string_pattern_mismatch": "格式不符合要求",
    "too_short": "不得少于 {min_length} 项",
    "too_long": "不得超过 {max_length} 项",
    "greater_than": "必须大于 {gt}",
    "greater_than_equal": "必须不小于 {ge}",
    "less_than": "必须小于 {lt}",
    "less_than_equal": "必须不大于 {le}",
    "enum": "须为许可的取值之一",
    "literal_error": "须为许可的取值之一",
    "timezone_aware": "时间须带时区",
}
"""By pydantic's error type; the limits in braces come from the interface's own declaration."""
_OTHERWISE: Final = "类型或内容不符合要求"


def faults_of(errors: Sequence[Mapping[str, Any]], names: Collection[str], language: Language) -> list[FieldFault]:
    """Up to ``MAX_FAULTS`` faults; a part of a location that is not among ``names`` is shown as ``*``."""
    return [
        FieldFault(pointer=_pointer(error["loc"], error["type"], names), fault=worded(_sentence(error), language))
        for error in errors[:MAX_FAULTS]
    ]


def known_names(app: FastAPI) -> frozenset[str]:
    """Every parameter and member name that the interface declares, from its OpenAPI document; kept on the app."""
    kept: frozenset[str] | None = getattr(app.state, "declared_names", None)
    if kept is None:
        kept = app.state.declared_names = frozenset(_declared(app.openapi()))
    return kept


def _declared(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from properties
        if "in" in node and isinstance(node.get("name"), str):
            yield node["name"]
        for value in node.values():
            yield from _declared(value)
    elif isinstance(node, list):
        for value in node:
            yield from _declared(value)


def _pointer(location: Sequence[str | int], kind: str, names: Collection[str]) -> str:
    parts = list(location[1:] if location[:1] == ("body",) else location)
    if kind == "extra_forbidden":
        parts = parts[:-1]
    places = ("path", "query", "header", "cookie")
    shown = [str(part) if isinstance(part, int) or part in names or part in places else _UNKNOWN for part in parts]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in shown)


def _sentence(error: Mapping[str, Any]) -> str:
    sentence = _SENTENCES.get(error["type"], _OTHERWISE)
    try:
        return Phrase(sentence, **error.get("ctx", {}))
    except KeyError:
        return _OTHERWISE
