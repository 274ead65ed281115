"""Rubbish for every operation of an OpenAPI document: what a careless or hostile caller might send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

MARKER_NUMBER = "440106199912319876"
MARKER_WORD = "qzxmarkerqzx"
MARKERS = (MARKER_NUMBER, MARKER_WORD)
"""What is put into the input, to be looked for in answers and logs: a number like a person's, and a word."""
BOTH = MARKER_NUMBER + MARKER_WORD

NASTY_VALUES: tuple[Any, ...] = (
    BOTH,
    f"{BOTH}\u0000tail",
    f"\ud800{MARKER_WORD}",
    f"{BOTH}\u202e\ufeff\U0001f600",
    None,
    True,
    -1,
    10**40,
    1e308,
    [],
    [BOTH],
    {MARKER_WORD: {BOTH: BOTH}},
    "",
    "x" * 5000,
)
NASTY_SEGMENTS = (
    BOTH,
    f"%00{MARKER_WORD}",
    f"app_%00{MARKER_WORD}",
    f"%ff%fe{MARKER_WORD}",
    f"%ED%A0%80{MARKER_WORD}",
    f"..%2f..%2f{MARKER_WORD}",
    quote(f"'; DROP TABLE applications; --{BOTH}"),
    "a" * 3000 + MARKER_WORD,
    quote(f"测试{BOTH}"),
)
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Rubbish:
    """One request; ``path`` is as it goes over the wire."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    why: str = ""
    asks_for: str = ""
    """The credential that the operation declares; empty where it asks for none that is declared."""
    of_a_field: bool = False
    """Whether all but one field of the body is good: what only a caller who is let in can have judged."""


def rubbish_for(document: dict[str, Any]) -> Iterator[Rubbish]:
    """For each operation, each kind of rubbish."""
    for template, operations in document["paths"].items():
        declared = {method.upper() for method in operations}
        for method, operation in operations.items():
            asks_for = next((name for each in operation.get("security", ()) for name in each), "")
            for sent in _bad_addresses(method.upper(), template, operation):
                yield replace(sent, asks_for=asks_for)
            for sent in _bad_bodies(method.upper(), template, operation, document):
                yield replace(sent, asks_for=asks_for)
        yield from _bad_methods(template, declared)


def _address(template: str, segment: str = MARKER_WORD) -> str:
    return "/".join(segment if part.startswith("{") else part for part in template.split("/"))


def _bad_methods(template: str, declared: set[str]) -> Iterator[Rubbish]:
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"} - declared:
        yield Rubbish(method, _address(template), why="method")


def _bad_addresses(method: str, template: str, operation: dict[str, Any]) -> Iterator[Rubbish]:
    if "{" in template:
        for segment in NASTY_SEGMENTS:
            yield Rubbish(method, _address(template, segment), why=f"segment {segment[:24]}")
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    for value in (BOTH, f"%00{MARKER_WORD}", f"%ff{MARKER_WORD}", "9" * 400, "-1", "", "NaN"):
        query = "&".join(f"{name}={value}" for name in names) or f"{MARKER_WORD}={value}"
        yield Rubbish(method, _address(template), query, why=f"query {value[:24]}")
    yield Rubbish(method, _address(template), f"{BOTH}=" + "q" * 4000, why="long query")
    bad_headers = {
        "authorization": f"Bearer {BOTH}",
        "dpop": f"{BOTH}.{BOTH}.{BOTH}",
        "cookie": f"__Host-bandian_session={BOTH}",
        "idempotency-key": BOTH * 9,
        "x-request-id": BOTH,
        "forwarded": f'for="{BOTH}";host={MARKER_WORD}',
    }
    yield Rubbish(method, _address(template), headers=bad_headers, why="headers")
    yield Rubbish(method, _address(template), headers={"x-long": MARKER_WORD + "h" * 8000}, why="long header")


def _bad_bodies(method: str, template: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[Rubbish]:
    content = operation.get("requestBody", {}).get("content", {})
    media = next(iter(content), "application/json")
    path = _address(template)

    def sent(body: bytes, why: str, media_type: str = media) -> Rubbish:
        return Rubbish(method, path, headers={"content-type": media_type}, body=body, why=why)

    word = BOTH.encode()
    yield sent(b"[" * 100_000, "deep nesting")
    yield sent(b"\xff\xfe\x00" + word, "not UTF-8")
    yield sent(b'"' + word + b"x" * 300_000 + b'"', "huge body")
    if method in ("GET", "DELETE"):
        return  # nobody reads what comes with them
    yield sent(b"", "empty body")
    yield sent(b'{"' + word + b'": ', "cut off")
    yield sent(b'{"a":' * 3000 + b"1" + b"}" * 3000, "deep and closed")
    yield sent(b'"' + b"\x00" * 10 + word + b'"', "null bytes")
    yield sent(b"NaN", "NaN")
    yield sent(b'"' + word + b'"', "a text")
    yield sent(b"1" * 5000, "a huge number")
    yield sent(b'{"' + word + b'":"' + word + b'"}', "unknown member")
    yield sent(b'{"a":1,"a":2}', "duplicate member")
    for media_type in (
        "text/plain",
        "application/xml",
        f"multipart/form-data; boundary={MARKER_WORD}",
        MARKER_WORD,
        "",
    ):
        yield sent(b"<x>" + word + b"</x>", f"media type {media_type}", media_type)
    if media == FORM:
        yield sent(b"grant_type=client_credentials&client_assertion=" + word + b"&client_assertion=%00%ff", "form")
        return
    schema = content.get("application/json", {}).get("schema", {})
    good = example_of(schema, document)
    if isinstance(good, dict):
        for name in good:
            for value in NASTY_VALUES:
                spoilt = sent(json.dumps({**good, name: value}).encode(), f"{name}={str(value)[:20]!a}")
                yield replace(spoilt, of_a_field=True)


def example_of(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Some value that fits ``schema``, roughly."""
    if "$ref" in schema:
        return example_of(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], document)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("enum") or schema.get("examples"):
        return (schema.get("enum") or schema["examples"])[0]
    match schema.get("type"):
        case "object":
            return {name: example_of(part, document) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema.get("items", {}), document)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return "2026-03-02T09:30:00+08:00" if schema.get("format") == "date-time" else "abc-1"
