"""``POST /__admin/seed``: every mock can be given a state without its neighbours."""

from datetime import UTC, datetime
from pathlib import Path

import httpx

from schemas.departments import ConnectionLine, ReviewMode, ReviewRequest
from schemas.events import ApplicationSubmitted, CloudEvent, Demand, EventType
from tests.support.mock_process import running_mock

NOWHERE = "http://127.0.0.1:9"
AT = datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_departments_take_permits_that_no_gateway_asked_for(tmp_path: Path) -> None:
    line = ConnectionLine(description="x", voltage_v=380, length_m=1, from_point="a", to_point="b")
    request = ReviewRequest(
        iss=NOWHERE,
        aud="road-440100",
        jti="evt-1",
        iat=1,
        review_id="rev-1",
        permit_id="per-1",
        application_id="app-1",
        permit="road_occupation",
        mode=ReviewMode.FULL,
        region="440106",
        line=line,
        due_on=None,
        outcomes_uri=NOWHERE,
    )
    with running_mock("mock_services.departments", "--data-dir", str(tmp_path), "--gateway-url", NOWHERE) as (url, _):
        seed = {"review_requests": [request.model_dump(mode="json")]}
        assert httpx.post(f"{url}/__admin/seed", json=seed).status_code == 204
        (permit,) = httpx.get(f"{url}/__admin/permits").json()
        assert permit["permit_id"] == "per-1"
        assert httpx.post(f"{url}/__admin/seed", json={}).status_code == 422


def test_the_utility_takes_events_that_no_gateway_delivered(tmp_path: Path) -> None:
    submitted = ApplicationSubmitted(
        application_id="app-1",
        intake="one_certificate",
        customer_class="lv_zero",
        class_clause="第（二）条",
        received_at=AT,
        demand=Demand(region="440106", voltage_v=380, capacity_kw=80, source_count=1, urban=True, purpose="演示人工"),
        authorisation_id="auth-1",
        authorised_until=AT,
        documents=[],
        stages=["sign_up", "construction"],
    )
    event = CloudEvent(
        id="evt-1",
        source=NOWHERE,
        type=EventType.APPLICATION_SUBMITTED,
        subject="app-1",
        time=AT,
        sequence=1,
        data=submitted.model_dump(mode="json"),
    )
    options = ("--data-dir", str(tmp_path), "--gateway-url", NOWHERE, "--partner", "csg-test")
    with running_mock("mock_services.utility", *options) as (url, _):
        assert httpx.post(f"{url}/__admin/seed", json={"events": [event.model_dump(mode="json")]}).status_code == 204
        (application,) = httpx.get(f"{url}/__admin/applications").json()
        assert application["application_id"] == "app-1"
        assert httpx.post(f"{url}/__admin/seed", json={"events": [{}]}).status_code == 422


def test_the_identity_provider_takes_another_population(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path), "--residents", "50", "--enterprises", "25")
    with running_mock("mock_services.identity_provider", *options) as (url, _):
        assert httpx.post(f"{url}/__admin/seed", json={"seed": 7}).status_code == 204
        assert httpx.post(f"{url}/__admin/seed", json={"people": 7}).status_code == 422
