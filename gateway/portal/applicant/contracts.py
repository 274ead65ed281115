"""供用电合同: read it, be verified anew for it, sign it – or say that it will not be signed."""

import contextlib
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.contracts.errors import ContractNotOpen, ContractUnknown, SignatureNotFresh
from gateway.contracts.router import download
from gateway.contracts.service import ContractService
from gateway.errors import Owner
from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.identity.model import VerifiedApplicant
from gateway.identity.router import Token, hand_over
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import ApplicantRoute, Identity, OwnProgress, SeenPages, SignedIn
from gateway.portal.applicant.verifying import Going
from gateway.portal.forms import OwnForm
from gateway.portal.rendering import Pages
from schemas.applicant_api import ProgressView
from schemas.contracts import ContractStanding
from schemas.identity import VerificationMethod, methods_of
from schemas.wire import OpaqueId

CONTRACT, REFUSAL = "applicant/contract.html", "applicant/contract_refusal.html"

router = APIRouter(route_class=ApplicantRoute)
Contracts = Annotated[ContractService, Depends(provide(ContractService))]
PATH: Final = "/applications/{application_id}/contract"
LONGEST_REASON: Final = 500


def _address(application_id: str, page: str = "") -> str:
    return PATH.format(application_id=application_id) + page


async def _offered(view: OwnProgress) -> ContractStanding:
    if view.contract is None:
        raise ContractUnknown(check="contract.unknown", owner=Owner.UTILITY, remedy="供电企业尚未发送合同")
    return view.contract


Offered = Annotated[ContractStanding, Depends(_offered)]


@router.get(PATH)
async def read(
    request: Request, applicant: SignedIn, pages: SeenPages, view: OwnProgress, _contract: Offered, names: KnownNames
) -> Response:
    """What is to be signed, or was; and which ways there are to be verified for it."""
    return _page(request, pages, applicant, view, names)


@router.post(PATH, dependencies=[Depends(RateLimit("verification", "600/minute"))])
async def begin(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    view: OwnProgress,
    contract: Offered,
    contracts: Contracts,
    identity: Identity,
    names: KnownNames,
) -> Response:
    """Agreed: on to the identity provider, with a verification that is for this contract alone."""
    errors = []
    if form.text("accept") != "yes":
        errors.append(("accept", "请先阅读合同，再勾选同意；不同意则无需签订"))
    if form.text("method") not in methods_of(applicant.applicant_kind):
        errors.append(("method", "请选择一种核验方式"))
    if errors:
        return _page(request, pages, applicant, view, names, errors)
    try:
        bound_to = await contracts.binding(application_id, applicant.holder_digest, contract.contract_id)
    except ContractNotOpen:
        return RedirectResponse(_address(application_id), 303)
    method = VerificationMethod(form.text("method"))
    opened = await identity.open(applicant.applicant_kind, method, bound_to)
    response = RedirectResponse("/verify/go", 303)
    hand_over(response, opened.session_token)
    Going(
        opened.authorization_url,
        applicant.applicant_kind.value,
        method.value,
        _address(application_id, "/signature"),
        _address(application_id),
    ).keep(response)
    return response


@router.get(PATH + "/document")
async def document(application_id: OpaqueId, applicant: SignedIn, _contract: Offered, contracts: Contracts) -> Response:
    """The contract as the utility sent it."""
    contract, content = await contracts.document(application_id, applicant.holder_digest)
    return download(contract, content)


@router.get(PATH + "/signature")
async def before_signing(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    token: Token,
    pages: SeenPages,
    view: OwnProgress,
    _contract: Offered,
    contracts: Contracts,
    identity: Identity,
    names: KnownNames,
) -> Response:
    """Verified for it: one more look, then it is signed. Verified for anything else: back to the contract."""
    try:
        contract = await contracts.ready(application_id, await identity.session(token))
    except (SignatureNotFresh, ContractNotOpen):
        return RedirectResponse(_address(application_id), 303)
    if contract.state == "signed":
        return RedirectResponse(_address(application_id), 303)
    return pages.render(
        request, "applicant/contract_signature.html", me=applicant, progress=view, contract=contract, names=names
    )


@router.post(PATH + "/signature")
async def sign(
    application_id: OpaqueId,
    _applicant: SignedIn,
    token: Token,
    form: OwnForm,
    _view: OwnProgress,
    _contract: Offered,
    contracts: Contracts,
    identity: Identity,
) -> Response:
    """Signed once, however often it is sent."""
    try:
        session = await identity.session(token)
        await contracts.sign(application_id, session, form.text("contract_id"), form.text("sha256"))
    except (SignatureNotFresh, ContractNotOpen):
        pass
    return RedirectResponse(_address(application_id), 303)


@router.get(PATH + "/refusal")
async def ask_to_decline(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    contract: Offered,
    names: KnownNames,
) -> Response:
    """What it would mean, before it is done."""
    if contract.state != "offered":
        return RedirectResponse(_address(application_id), 303)
    return _page(request, pages, applicant, view, names, template=REFUSAL)


@router.post(PATH + "/refusal")
async def decline(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    form: OwnForm,
    pages: SeenPages,
    view: OwnProgress,
    contract: Offered,
    contracts: Contracts,
    names: KnownNames,
) -> Response:
    """The utility is told. Declined before, it stays so."""
    reason = form.text("reason")
    if len(reason) > LONGEST_REASON:
        return _page(request, pages, applicant, view, names, [("reason", "请不超过 500 字")], REFUSAL)
    with contextlib.suppress(ContractNotOpen):
        await contracts.decline(application_id, applicant.holder_digest, contract.contract_id, reason or None)
    return RedirectResponse(_address(application_id), 303)


def _page(
    request: Request,
    pages: Pages,
    applicant: VerifiedApplicant,
    view: ProgressView,
    names: Names,
    errors: list[tuple[str, str]] | None = None,
    template: str = CONTRACT,
) -> Response:
    return pages.render(
        request,
        template,
        422 if errors else 200,
        me=applicant,
        progress=view,
        contract=view.contract,
        names=names,
        methods=methods_of(applicant.applicant_kind),
        errors=errors or [],
    )
