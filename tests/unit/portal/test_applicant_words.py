"""What the applicant's pages show out of the code – titles, reasons, remedies – is there in English, too."""

import re
from collections.abc import Iterator

import pytest

from adapters import departments
from gateway.applications import (
    customer_classes,
    next_steps,
    requirements,
    review_tasks,
    review_views,
    stages,
    time_limits,
)
from gateway.applications.found_documents import NOTES
from gateway.applications.model import Demand
from gateway.applications.reconciliation.finding import Side
from gateway.applications.reconciliation.registry import discovered
from gateway.certificates.disclosure import Withholding
from gateway.certificates.registry import KindRegistry
from gateway.identity.sessions import FAILURE_REMEDIES
from gateway.portal.applicant.demand_form import FAULTS
from gateway.portal.catalogues import translations
from gateway.progress import titles
from gateway.progress.named_accesses import SEEN_IN_REVIEW, WHOLE_TITLE
from gateway.rechecks import views as rechecks
from gateway.wording.phrases import Language, Phrase, say
from schemas.identity import ApplicantKind


def shown() -> Iterator[str]:
    yield from stages.STAGE_TITLES.values()
    yield from customer_classes.CLASS_TITLES.values()
    yield from requirements.DOCUMENT_TITLES.values()
    yield from FAILURE_REMEDIES.values()
    yield from FAULTS.values()
    yield from NOTES.values()
    yield next_steps.CHOOSE_ONE
    yield from (side.value for side in Side)
    yield from (each.says for each in Withholding)
    yield from (state.chinese_title for state in review_tasks.ReviewState)
    yield from review_views.NEXT_STEPS.values()
    yield from (label for _, labels in SEEN_IN_REVIEW.values() for label in labels)
    yield WHOLE_TITLE
    yield from titles.field_titles(None, [titles.EVERYTHING])
    yield titles.document_title(titles.EVIDENCE) or ""
    for comparison in discovered():
        yield comparison.title
        yield comparison.clause
        yield from comparison.remedies.values()
    for kind in KindRegistry.discover().by_code.values():
        yield from (field.title for field in kind.fields)
        yield from (predicate.title for predicate in kind.predicates)
    for department in departments.discover():
        yield department.title
        yield from department.permits.values()
    for table in (time_limits.STAGE_LIMITS, time_limits.WHOLE_PROCESS_LIMITS, time_limits.JOINT_REVIEW_LIMITS):
        yield from (row.clause for row in table.rows)
    for document in requirements.Document:
        yield next_steps.step_when_missing(document)
    for template in rechecks.STEPS.values():
        yield Phrase(template, title=Phrase("营业执照"), hotlines=Phrase(next_steps.HOTLINES))
    yield rechecks.WAITS


def reasons() -> Iterator[str]:
    """Why a demand is of its class, for demands of every class in urban and rural areas."""
    area, resident, enterprise = customer_classes.Area.URBAN, ApplicantKind.RESIDENT, ApplicantKind.ENTERPRISE
    for kind, volts, kilowatts, sources, small in (
        (resident, 220, 8, 1, None),
        (enterprise, 380, 80, 1, None),
        (enterprise, 380, 80, 1, False),
        (enterprise, 380, 315, 1, None),
        (enterprise, 10_000, 800, 1, None),
        (enterprise, 10_000, 800, 2, None),
    ):
        facts = Demand("440106", volts, kilowatts, sources, area, "x", small).facts(kind)
        yield customer_classes.derive_class(facts, time_limits.END_2022, "440106").reason


@pytest.mark.parametrize("text", sorted(set(shown()) | set(reasons())))
def test_it_is_translated(text: str) -> None:
    english = say(text, translations(Language.ENGLISH).gettext, Language.ENGLISH)
    assert english != text
    assert re.search("[A-Za-z]{3}", english)
