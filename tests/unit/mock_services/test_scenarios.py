"""The shipped scenario files can be read, and lead where they say."""

import pytest

from mock_services.departments.roster import departments_of
from mock_services.departments.scenario import DEFAULT_SCENARIO as DEPARTMENTS
from mock_services.departments.scenario import Scenario as DepartmentScenario
from mock_services.utility.scenario import DEFAULT_SCENARIO as UTILITY
from mock_services.utility.scenario import Plan
from mock_services.utility.scenario import Scenario as UtilityScenario
from schemas.departments import ReviewMode, ReviewRequest
from schemas.events import ApplicationSubmitted, Demand, DocumentSummary

SIX_STAGES = [
    "acceptance",
    "supply_plan",
    "design_review",
    "interim_inspection",
    "completion_inspection",
    "metering",
]


def application(customer_class: str, stages: list[str], purpose: str = "厂房") -> ApplicationSubmitted:
    return ApplicationSubmitted.model_validate(
        {
            "application_id": "app-1",
            "intake": "one_certificate",
            "customer_class": customer_class,
            "class_clause": "附件2",
            "received_at": "2026-11-23T06:00:00Z",
            "demand": Demand(
                region="440307", voltage_v=10_000, capacity_kw=6300, source_count=2, urban=True, purpose=purpose
            ),
            "authorisation_id": "a-1",
            "authorised_until": "2027-11-23T06:00:00Z",
            "documents": [
                DocumentSummary(kind="business_licence", title="营业执照", verdict="valid"),
                DocumentSummary(kind="property_certificate", title="不动产权证书", verdict="self_declared"),
            ],
            "stages": stages,
        }
    )


def request(department: str, mode: ReviewMode, description: str) -> ReviewRequest:
    return ReviewRequest.model_validate(
        {
            "iss": "https://gateway.example",
            "aud": department,
            "jti": "e-1",
            "iat": 1,
            "review_id": "r-1",
            "permit_id": "p-1",
            "application_id": "app-1",
            "permit": "road_occupation",
            "mode": mode,
            "region": "440307",
            "line": {
                "description": description,
                "voltage_v": 10_000,
                "length_m": 1,
                "from_point": "a",
                "to_point": "b",
            },
            "due_on": None,
            "outcomes_uri": "https://gateway.example/v1/departments/x/outcomes",
        }
    )


def test_a_dual_source_application_asks_five_departments_of_its_city_and_waits_for_them() -> None:
    asked = application("hv_dual", SIX_STAGES)
    plan = UtilityScenario.parse(UTILITY.read_text("utf-8")).plan_for(asked)
    steps = plan.steps_for(asked)
    told = [f"{step.do} {step.stage or step.kind or ''} {step.action or ''}".strip() for step in steps]
    assert told[:6] == [
        "stage acceptance started",
        "licence business_licence",
        "stage acceptance completed",
        "stage supply_plan started",
        "stage supply_plan completed",
        "joint_review",
    ]
    assert told.index("await_permits") + 1 == told.index("stage completion_inspection started")
    review = steps[5].review
    assert review is not None
    assert [permit.department for permit in review.permits] == [one.code for one in departments_of("440300")]


def test_the_dual_source_line_meets_a_correction_a_special_procedure_and_a_superseded_rejection() -> None:
    plan = UtilityScenario.parse(UTILITY.read_text("utf-8")).plan_for(application("hv_dual", SIX_STAGES))
    assert plan.joint_review is not None
    description = plan.joint_review.line.description
    scenario = DepartmentScenario.parse(DEPARTMENTS.read_text("utf-8"))
    outcomes = {
        one.name: [
            step.outcome for step in scenario.rule_for(one, request(one.code, ReviewMode.FULL, description)).steps
        ]
        for one in departments_of("440300")
    }
    assert "correction_requested" in outcomes["planning"]
    assert outcomes["road"][-2:] == ["rejected", "approved"]
    assert "special_procedure_started" in outcomes["greenery"]
    assert {steps[-1].value for steps in outcomes.values()} == {"approved"}


def test_a_commitment_is_approved_at_once() -> None:
    scenario = DepartmentScenario.parse(DEPARTMENTS.read_text("utf-8"))
    road = departments_of("440300")[1]
    rule = scenario.rule_for(road, request(road.code, ReviewMode.COMMITMENT, "10千伏双电源电缆外线"))
    assert [step.outcome for step in rule.steps] == ["approved"]


def test_permits_that_departments_know_are_the_ones_that_are_asked_for() -> None:
    known = {one.name: one.permits for one in departments_of("440300")}
    for plan in UtilityScenario.parse(UTILITY.read_text("utf-8")).plan:
        for permit in plan.joint_review.permits if plan.joint_review else []:
            assert permit.permit in known[permit.department.partition("-")[0]]


def test_a_plan_can_stop_after_a_stage() -> None:
    steps = Plan(name="stops", stop_after="supply_plan").steps_for(application("hv_dual", SIX_STAGES))
    assert steps[-1].stage == "supply_plan"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rule = []",
        '[[rule]]\nname = "not for all"\ndepartment = "road"\nsteps = [{ outcome = "approved" }]',
        '[[rule]]\nname = "no steps"\nsteps = []',
        '[[rule]]\nname = "unknown word"\nsteps = [{ outcome = "maybe" }]',
        '[[rule]]\nname = "too early"\nsteps = [{ outcome = "approved", supersedes = "last_decision" }]',
    ],
)
def test_a_department_scenario_that_cannot_be_played_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        DepartmentScenario.parse(text)


@pytest.mark.parametrize("text", ["", "plan = []", '[[plan]]\nname = "some"\ncustomer_class = ["hv_dual"]'])
def test_a_utility_scenario_that_leaves_applications_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        UtilityScenario.parse(text)
