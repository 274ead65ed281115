"""Partners, their keys and endpoints, and agreements, which come into force by two persons."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from gateway.conformance.model import GOOD_FOR
from gateway.conformance.service import ConformanceService
from gateway.errors import Owner
from gateway.http.services import provide
from gateway.partners.agreement_steps import AgreementStep, open_steps
from gateway.partners.errors import PartnerConflict, PartnerTermsRejected
from gateway.partners.service import PartnerService
from gateway.partners.views import AgreementTerms
from gateway.portal.console import words
from gateway.portal.console.onboarding import going_live, partner_page
from gateway.portal.console.shared import Decider, Operator, Reader, SeenPages, show
from gateway.portal.forms import Form, OwnForm
from gateway.portal.officers import OfficerRole
from gateway.portal.page_route import PageRoute
from gateway.progress.titles import document_title, field_titles
from schemas.wire import OpaqueId, PartnerCode

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Partners = Annotated[PartnerService, Depends(provide(PartnerService))]
Suite = Annotated[ConformanceService, Depends(provide(ConformanceService))]
_BY_REVIEWERS = frozenset({AgreementStep.APPROVE, AgreementStep.SEND_BACK})
"""What officers do who run nothing themselves."""
_FAULTS = {
    "purpose": "用途为小写字母、数字与下划线，如 grid_connection",
    "regions": "请填写 6 位行政区划代码，可用逗号分隔多个",
    "valid_from": "请填写起始日",
    "valid_until": "请填写终止日",
    "clause": "请写明法律依据，不超过 200 字",
    "grants": "请至少勾选一种证照的一个字段",
}


@router.get("/console/partners")
async def list_partners(request: Request, officer: Reader, pages: SeenPages, partners: Partners) -> Response:
    """Who may call, and the agreements that are on their way."""
    agreements = await partners.all_agreements()
    return show(
        request,
        pages,
        officer,
        "partners.html",
        partners=await partners.list_partners(),
        agreements=agreements,
        words=words,
    )


@router.get("/console/partners/{code}")
async def partner(
    request: Request, code: PartnerCode, officer: Reader, pages: SeenPages, partners: Partners, suite: Suite
) -> Response:
    """One organisation with all that belongs to it."""
    return await partner_page(request, code, officer, pages, partners, suite)


@router.get("/console/partners/{code}/agreements/new")
async def new_agreement(
    request: Request, code: PartnerCode, officer: Operator, pages: SeenPages, partners: Partners
) -> Response:
    """The terms of an agreement to be made."""
    whole = await partners.whole(code)
    told = {"purpose": "grid_connection", "regions": ", ".join(whole.partner.regions)}
    kinds = _kinds(partners)
    return show(
        request,
        pages,
        officer,
        "agreement_new.html",
        partner=whole.partner,
        kinds=kinds,
        told=told,
        grants=[],
        errors=[],
    )


@router.post("/console/partners/{code}/agreements/new")
async def draft_agreement(
    request: Request, code: PartnerCode, officer: Operator, form: OwnForm, pages: SeenPages, partners: Partners
) -> Response:
    """Write it down; it permits nothing yet."""
    whole = await partners.whole(code)
    errors: list[tuple[str, str]] = []
    try:
        terms = _terms(form)

        async def work() -> Response:
            made = await partners.create_agreement(terms.drafted(code), actor=officer.actor, at=pages.clock())
            return RedirectResponse(f"/console/agreements/{made.value.agreement_id}", 303)

        return await form.once(request, officer.subject, work)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)}
        errors = [(name, says) for name, says in _FAULTS.items() if name in wrong]
    except PartnerTermsRejected as refusal:
        errors = [(_field_of(refusal.check), refusal.remedy)]
    told = {name: form.text(name) for name in ("purpose", "regions", "valid_from", "valid_until", "clause")}
    return show(
        request,
        pages,
        officer,
        "agreement_new.html",
        422,
        partner=whole.partner,
        kinds=_kinds(partners),
        told=told,
        grants=form.all("grants"),
        errors=errors,
    )


@router.get("/console/agreements/{agreement_id}")
async def agreement(
    request: Request, agreement_id: OpaqueId, officer: Reader, pages: SeenPages, partners: Partners, suite: Suite
) -> Response:
    """Its terms, who did what, and what this officer may do with it now."""
    found = await partners.find_agreement(agreement_id)
    offered = [step for step in open_steps(found, officer.actor) if _may(officer.role, step)]
    granted = [
        (document_title(grant.kind) or grant.kind, field_titles(grant.kind, sorted(grant.fields)))
        for grant in found.grants
    ]
    ready, last = await suite.readiness(found.partner_code)
    return show(
        request,
        pages,
        officer,
        "agreement.html",
        agreement=found,
        offered=offered,
        granted=granted,
        ready=ready,
        last=last,
        good_for=GOOD_FOR.days,
        words=words,
    )


@router.post("/console/agreements/{agreement_id}/step")
async def step(
    request: Request,
    agreement_id: OpaqueId,
    officer: Decider,
    form: OwnForm,
    pages: SeenPages,
    partners: Partners,
    suite: Suite,
) -> Response:
    """One step, by whoever may take it."""
    told = form.text("step")
    if told not in set(words.STEPS) or not _may(officer.role, AgreementStep(told)):
        raise PartnerConflict(
            check="agreement.step", owner=Owner.CALLER, remedy="您的角色不能办理此步骤，请返回协议页查看可办理的步骤"
        )

    async def work() -> Response:
        facts = None
        if told == AgreementStep.GO_LIVE:
            agreement = await partners.find_agreement(agreement_id)
            facts = await going_live(suite, agreement.partner_code, form.text("despite"))
        taken = AgreementStep(told)
        await partners.advance_agreement(agreement_id, taken, actor=officer.actor, at=pages.clock(), facts=facts)
        return RedirectResponse(f"/console/agreements/{agreement_id}", 303)

    return await form.once(request, officer.subject, work)


def _may(role: OfficerRole, wanted: AgreementStep) -> bool:
    return role is OfficerRole.OPERATOR or (role is OfficerRole.REVIEWER and wanted in _BY_REVIEWERS)


def _terms(form: Form) -> AgreementTerms:
    """Raises ``ValidationError``. A box is ``kind:field``."""
    ticked: dict[str, list[str]] = {}
    for box in form.all("grants"):
        kind, _, field = box.partition(":")
        ticked.setdefault(kind, []).append(field)
    days = {name: _day(form.text(name)) for name in ("valid_from", "valid_until")}
    return AgreementTerms.model_validate(
        {
            "purpose": form.text("purpose"),
            "grants": [{"kind": kind, "fields": fields} for kind, fields in ticked.items()],
            "regions": [each for each in form.text("regions").replace("，", ",").replace(" ", "").split(",") if each],
            "clause": form.text("clause"),
            **days,
        }
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _kinds(partners: PartnerService) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(kind, title, [(field, title)]) of all that an agreement may name."""
    known = sorted(partners.vocabulary.fields.items())
    return [
        (kind, document_title(kind) or kind, list(zip(sorted(fields), field_titles(kind, sorted(fields)), strict=True)))
        for kind, fields in known
    ]


def _field_of(check: str) -> str:
    """The field of the form that a refused term belongs to."""
    told = check.rpartition("agreement_")[2].rpartition(".")[2]
    return {"dates": "valid_until", "kinds": "grants", "fields": "grants"}.get(told, told)
