"""Applications counted into cells: known answers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.model import GridConnectionApplication
from gateway.applications.stages import Stage
from gateway.oversight.figures import Counting, Figures
from gateway.oversight.ports import Observed
from schemas.ratings import RatingLevel
from tests.support.oversight import RULES, application, lifecycle_of, withdrawn
from tests.support.storage import NOON

GUANGZHOU, SHENZHEN = "440100", "440300"
LATER = NOON + timedelta(days=60)


def observed(made: GridConnectionApplication, **more: Any) -> Observed:
    return Observed(made.region, made.customer_class, made.intake, made.lifecycle, 2, 1, **more)


def counted(*closed: Observed, opened: tuple[Observed, ...] = ()) -> Figures:
    counting = Counting(RULES, LATER)
    counting.take_closed(closed)
    counting.take_open(opened)
    return counting.figures


def test_stages_and_the_whole_against_their_limits() -> None:
    found = counted(
        observed(application("a", days=(1, 3, 2))),
        observed(application("b", days=(2, 3, 1))),
        observed(application("c", days=(1, 5, 3))),
    ).total(GUANGZHOU, CustomerClass.LV_ORDINARY)
    assert found.completed == 3
    assert (found.whole.median, found.whole.worst, found.whole.over) == (6, 9, 1)
    assert found.whole.limit_range == (6, 6)
    by_stage = {stage: (each.median, each.worst, each.over) for stage, each in found.stages.items()}
    assert by_stage == {Stage.ACCEPTANCE: (1, 2, 1), Stage.SUPPLY_PLAN: (3, 5, 1), Stage.METERING: (2, 3, 1)}


def test_cells_are_cities_and_classes() -> None:
    figures = counted(
        observed(application("a")),
        observed(application("b", region="440103001002")),
        observed(application("c", region="440306")),
        observed(application("d", CustomerClass.RESIDENTIAL, (1, 2), region="440306")),
    )
    assert figures.cities == [GUANGZHOU, SHENZHEN]
    assert figures.total(GUANGZHOU).completed == 2
    assert figures.total(SHENZHEN, CustomerClass.RESIDENTIAL).whole.limit_range == (5, 5)
    assert figures.total(customer_class=CustomerClass.LV_ORDINARY).completed == 3
    assert figures.total().intakes == {"one_certificate": 3, "face_verified": 1}
    assert figures.total().documents_fetched == 8


def test_ratings_are_counted_with_their_application_and_bad_ones_are_not_content() -> None:
    figures = counted(
        observed(application("a"), rating=RatingLevel.VERY_SATISFIED),
        observed(application("b", region="440103001002"), rating=RatingLevel.BASICALLY_SATISFIED),
        observed(application("c", region="440306"), rating=RatingLevel.DISSATISFIED),
        observed(application("d", region="440306")),
    )
    total, shenzhen = figures.total(), figures.total(SHENZHEN)
    assert (total.ratings.total(), total.content) == (3, 2)
    assert (shenzhen.ratings.total(), shenzhen.content) == (1, 0)


def test_a_withdrawn_application_has_no_durations() -> None:
    made = application("a", days=(1,))
    gone = replace(made, lifecycle=withdrawn(made.lifecycle, NOON + timedelta(days=5)))
    found = counted(observed(gone)).total()
    assert (found.completed, found.withdrawn, found.whole.count, found.stages) == (0, 1, 0, {})


def test_backdated_and_refused_events_are_counted() -> None:
    found = counted(
        observed(application("a", late=True), refused_events=2), observed(application("b"), refused_requests=1)
    ).total()
    assert (found.events, found.backdated_events, found.refused_events, found.refused_requests) == (12, 1, 2, 1)


def test_an_open_application_counts_as_it_stands_now() -> None:
    fresh = application("a", days=(1,), received_at=LATER - timedelta(days=1))
    found = counted(opened=(observed(application("b", days=(1,))), observed(fresh)))
    assert (found.total().open, found.total().open_over, found.total().completed) == (2, 1, 0)


def test_the_rules_of_the_day_of_receipt_are_the_limit() -> None:
    early = NOON.replace(year=2021, month=6, day=1)
    figures = counted(
        observed(application("a", CustomerClass.LV_ZERO, (1, 2))),
        observed(application("b", CustomerClass.LV_ZERO, (1, 2), received_at=early)),
    )
    assert figures.total(customer_class=CustomerClass.LV_ZERO).whole.limit_range == (15, 25)


def test_stages_are_in_no_other_order_than_they_happened() -> None:
    lifecycle = lifecycle_of(CustomerClass.HV_SINGLE, NOON, (1, 10, 3, 2, 3, 3))
    found = counted(observed(application("a", CustomerClass.HV_SINGLE, (), lifecycle=lifecycle))).total()
    assert [each.over for each in found.stages.values()] == [0] * 6
    assert found.whole.worst == 22
