"""Onboarding a partner: the conformance suite, its keys, and whether it may call at all. Each change has a reason."""

import json
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.conformance.errors import ConformanceNotPassed
from gateway.conformance.model import GOOD_FOR, OverrideReason, Readiness
from gateway.conformance.service import ConformanceService
from gateway.conformance.suite import CHECKS, GUIDES
from gateway.errors import Owner
from gateway.http.services import provide
from gateway.partners.errors import PartnerConflict, PartnerTermsRejected
from gateway.partners.model import ChangeReason, KeyUse, PartnerStatus
from gateway.partners.service import PartnerService
from gateway.portal.console import words
from gateway.portal.console.shared import Operator, Reader, SeenPages, show
from gateway.portal.forms import Form, OwnForm
from gateway.portal.officers import Officer
from gateway.portal.page_route import PageRoute
from gateway.portal.rendering import Pages
from gateway.records.entries import Fact
from schemas.wire import PartnerCode

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Partners = Annotated[PartnerService, Depends(provide(PartnerService))]
Suite = Annotated[ConformanceService, Depends(provide(ConformanceService))]
Errors = list[tuple[str, str]]
OVERLAP: Final = timedelta(hours=24)
_PRIVATE: Final = "您粘贴的是私钥：已拒收且没有保存。它既已离开原处，请另生成密钥对，只粘贴公钥"
_NO_REASON: Final = "请选择变更的理由"


@router.get("/console/partners/{code}/conformance")
async def conformance(
    request: Request, code: PartnerCode, officer: Reader, pages: SeenPages, partners: Partners, suite: Suite
) -> Response:
    """The last run, check by check, and the runs before it."""
    whole = await partners.whole(code)
    return show(
        request,
        pages,
        officer,
        "conformance.html",
        partner=whole.partner,
        runs=await suite.recent(code),
        checks=CHECKS,
        guide=GUIDES.get(whole.partner.role),
        words=words,
    )


@router.post("/console/partners/{code}/conformance/run")
async def run(request: Request, code: PartnerCode, officer: Operator, form: OwnForm, suite: Suite) -> Response:
    """Run the suite against the partner's own endpoint."""

    async def work() -> Response:
        await suite.run(code, officer.actor)
        return RedirectResponse(f"/console/partners/{code}/conformance", 303)

    return await form.once(request, officer.subject, work)


@router.post("/console/partners/{code}/keys")
async def add_key(
    request: Request,
    code: PartnerCode,
    officer: Operator,
    form: OwnForm,
    pages: SeenPages,
    partners: Partners,
    suite: Suite,
) -> Response:
    """Register a public key, beside the others or as the successor of one."""
    text, use, replaces = form.text("jwk"), form.text("use"), form.text("replaces")
    reason = _reason(form)
    errors: Errors = [] if reason else [("reason-key", _NO_REASON)]
    if use not in set(KeyUse) and not replaces:
        errors.insert(0, ("use", "请选择密钥的用途"))
    if not text:
        errors.insert(0, ("jwk", "请粘贴公钥 JWK"))

    async def work() -> Response:
        at, jwk = pages.clock(), text.encode()
        if replaces:
            await partners.rotate_key(code, replaces, jwk, overlap=OVERLAP, actor=officer.actor, at=at, reason=reason)
        else:
            await partners.add_key(code, jwk, KeyUse(use), actor=officer.actor, at=at, reason=reason)
        return RedirectResponse(f"/console/partners/{code}", 303)

    if not errors:
        try:
            # A private key is refused at once, so that no trace of the form is kept.
            return await (work() if _shows_private(text) else form.once(request, officer.subject, work))
        except PartnerTermsRejected as refusal:
            private = refusal.check == "partners.key.jwk_private"
            errors = [("jwk", _PRIVATE if private else refusal.remedy)]
        except PartnerConflict as refusal:
            errors = [("jwk", refusal.remedy)]
    return await partner_page(request, code, officer, pages, partners, suite, errors)


@router.post("/console/partners/{code}/keys/retire")
async def retire_key(
    request: Request,
    code: PartnerCode,
    officer: Operator,
    form: OwnForm,
    pages: SeenPages,
    partners: Partners,
    suite: Suite,
) -> Response:
    """Revoke a key at once, with the tokens that it earned."""
    kid, reason = form.text("kid"), _reason(form)
    errors: Errors = [] if reason else [("reason-retire", _NO_REASON)]
    if not kid:
        errors.insert(0, ("kid", "请选择要停用的公钥"))
    if errors:
        return await partner_page(request, code, officer, pages, partners, suite, errors)

    async def work() -> Response:
        await partners.revoke_key(code, kid, actor=officer.actor, at=pages.clock(), reason=reason)
        return RedirectResponse(f"/console/partners/{code}", 303)

    return await form.once(request, officer.subject, work)


@router.post("/console/partners/{code}/status")
async def set_status(
    request: Request,
    code: PartnerCode,
    officer: Operator,
    form: OwnForm,
    pages: SeenPages,
    partners: Partners,
    suite: Suite,
) -> Response:
    """Suspend a partner, or lift it."""
    wanted, reason = form.text("status"), _reason(form)
    if reason is None or wanted not in set(PartnerStatus):
        return await partner_page(request, code, officer, pages, partners, suite, [("reason-status", _NO_REASON)])

    async def work() -> Response:
        change = partners.suspend_partner if wanted == PartnerStatus.SUSPENDED else partners.resume_partner
        await change(code, actor=officer.actor, at=pages.clock(), reason=reason)
        return RedirectResponse(f"/console/partners/{code}", 303)

    return await form.once(request, officer.subject, work)


async def partner_page(
    request: Request,
    code: str,
    officer: Officer,
    pages: Pages,
    partners: PartnerService,
    suite: ConformanceService,
    errors: Errors | None = None,
) -> Response:
    """One organisation with all that belongs to it. What was pasted into a form is not shown again."""
    whole = await partners.whole(code)
    now = pages.clock()
    current = [key for key in whole.keys if key.usable(key.use, now)]
    ready, last = await suite.readiness(code)
    return show(
        request,
        pages,
        officer,
        "partner.html",
        422 if errors else 200,
        whole=whole,
        current=current,
        ready=ready,
        last=last,
        tested=whole.partner.role in GUIDES,
        good_for=GOOD_FOR.days,
        errors=errors or [],
        words=words,
    )


async def going_live(suite: ConformanceService, partner_code: str, told: str) -> dict[str, Fact]:
    """What the record keeps of the last run when an agreement goes live. ``told`` is the reason chosen, if any.

    Raises ``ConformanceNotPassed`` where the last run failed and no reason was given.
    """
    ready, last = await suite.readiness(partner_code)
    facts: dict[str, Fact] = {"conformance": ready.value, "conformance_report": last.report_id if last else None}
    if ready is not Readiness.FAILED:
        return facts
    if told not in set(OverrideReason):
        raise ConformanceNotPassed(
            check="conformance.last_run",
            owner=Owner.CALLER,
            remedy="请按报告处理后重测；确须先生效的，请返回协议页选择理由，理由记入存证",
        )
    return facts | {"despite": told}


def _reason(form: Form) -> ChangeReason | None:
    told = form.text("reason")
    return ChangeReason(told) if told in set(ChangeReason) else None


def _shows_private(text: str) -> bool:
    """Whether the text may hold a private key: anything but an object that has no private member."""
    try:
        jwk = json.loads(text)
    except ValueError:
        return True
    return not isinstance(jwk, dict) or "d" in jwk or "k" in jwk or "keys" in jwk
