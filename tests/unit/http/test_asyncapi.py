"""The AsyncAPI document: of the standard's shape, whole, and what the channels really do; served without any CDN."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.delivery.cloud_events import cloud_event
from gateway.http.asyncapi import describe_events
from gateway.http.event_reference import serve_event_reference
from gateway.http.reference import serve_reference
from schemas.events import EVENT_DATA, EventType
from schemas.nats import event_subject, receipt_subject
from tests.support.door import app_behind_the_door, asking
from tests.support.entry_points import an_event

DOCUMENT = describe_events("事件", "1", "https://gateway.example", "bandian")


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for value in part for each in references(value)] if isinstance(part, list) else []


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_it_has_the_shape_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"asyncapi", "id", "info", "defaultContentType", "channels", "operations", "components"} == DOCUMENT.keys()
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for name in (*DOCUMENT["channels"], *DOCUMENT["operations"], *DOCUMENT["components"]["messages"]):
        assert re.fullmatch(r"[A-Za-z0-9_\-]+", name), name
    for channel in DOCUMENT["channels"].values():
        assert channel["messages"]
        parameters = set(re.findall(r"{(\w+)}", channel["address"] or ""))
        assert parameters == channel.get("parameters", {}).keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] == "send"
        channel = operation["channel"]["$ref"]
        assert all(each["$ref"].startswith(channel + "/messages/") for each in operation["messages"])
        answered = operation["reply"]["channel"]["$ref"]
        assert all(each["$ref"].startswith(answered + "/messages/") for each in operation["reply"]["messages"])


def test_the_standards_own_schema_takes_it() -> None:
    with gzip.open(Path(__file__).parents[2] / "vectors" / "asyncapi" / "3.0.0.json.gz") as file:
        standard = Draft7Validator(json.load(file))
    assert [error.message for error in standard.iter_errors(DOCUMENT)] == []
    push = {**DOCUMENT["operations"]["push"], "action": "sends"}
    assert not standard.is_valid({**DOCUMENT, "operations": {**DOCUMENT["operations"], "push": push}})


def test_nothing_it_points_at_is_missing_or_outside() -> None:
    pointed_at = set(references(DOCUMENT))
    assert all(each.startswith("#/") for each in pointed_at)
    assert all(resolved(each) for each in pointed_at)
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    claims = {f"#/components/schemas/{name}" for name in ("DeliveryReceipt", "DeliveryRefusal")}
    assert names - pointed_at == claims, "nothing stands there for nothing"
    told = [each["payload"].get("description", "") for each in DOCUMENT["components"]["messages"].values()]
    assert {each.removeprefix("Claims: ") for each in told if each} == claims


@pytest.mark.parametrize("event_type", EventType)
def test_every_event_is_in_it_on_both_channels(event_type: EventType) -> None:
    (name,) = [key for key, each in DOCUMENT["components"]["messages"].items() if each["name"] == event_type.value]
    assert name in DOCUMENT["channels"]["webhook"]["messages"]
    payload = DOCUMENT["components"]["messages"][name]["payload"]["allOf"]
    assert payload[1]["properties"]["data"]["$ref"].endswith("/" + EVENT_DATA[event_type].__name__)
    address = DOCUMENT["channels"][f"nats-{name}"]["address"]
    told = address.format(utility="csg-guangzhou", event="evt_1")
    assert told == event_subject("bandian", "csg-guangzhou", event_type.value, "evt_1")


def test_receipts_are_where_the_channel_listens() -> None:
    told = DOCUMENT["channels"]["receipts"]["address"].format(utility="csg-guangzhou", event="evt_1")
    assert told == receipt_subject("bandian", "csg-guangzhou", "evt_1")


def test_its_schemas_are_schemas_and_an_event_as_it_is_sent_fits() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema), name
    sent = cloud_event(an_event("evt_1"), "https://gateway.example")
    whole = {**DOCUMENT["components"]["schemas"]["CloudEvent"], "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(sent)
    assert not Draft202012Validator(whole).is_valid({**sent, "sequence": 0})


async def test_it_is_served_with_a_page_that_needs_nothing_else() -> None:
    app: FastAPI = app_behind_the_door()
    serve_event_reference(app, "https://gateway.example", "bandian")
    serve_reference(app)
    async with asking(app) as http:
        document = await http.get("/asyncapi.json")
        assert document.json()["channels"] == DOCUMENT["channels"]
        page = await http.get("/docs/events")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    assert all(each.value in page.text for each in EventType)
