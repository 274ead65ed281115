"""To take along: the progress as a PDF, and its address as a QR code. Whoever opens the address must sign in."""

import asyncio
import io
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.portal.applicant.names import KnownNames
from gateway.portal.applicant.sessions import ApplicantRoute, OwnProgress, Progress, SeenPages, SignedIn
from gateway.portal.assets import STATIC
from gateway.portal.preferences import preferences_of
from gateway.portal.typesetting import may_typeset, typeset
from schemas.wire import OpaqueId

if TYPE_CHECKING:
    import segno

router = APIRouter(route_class=ApplicantRoute)
SHEET: Final = STATIC / "print.css"
_AT_ONCE: Final = asyncio.Semaphore(2)
"""Documents that one process typesets at a time: each takes a core for a while."""


@router.get("/applications/{application_id}/progress.pdf")
async def pdf(
    request: Request,
    application_id: OpaqueId,
    applicant: SignedIn,
    pages: SeenPages,
    view: OwnProgress,
    names: KnownNames,
) -> Response:
    """The progress as it stands now, on letter-size paper."""
    address = f"{pages.site.address}/applications/{application_id}"
    if not await may_typeset():
        return pages.render(request, "applicant/no_pdf.html", 501, me=applicant, progress=view)
    html = pages.text(
        "applicant/paper.html",
        preferences_of(request),
        {
            "me": applicant,
            "progress": view,
            "names": names,
            "now": pages.clock(),
            "address": address,
            "qr": _code(address).svg_data_uri(scale=3, border=1),
        },
    )
    async with _AT_ONCE:
        made = await asyncio.to_thread(typeset, html, SHEET)
    headers = {"content-disposition": f'inline; filename="{application_id}.pdf"', "cache-control": "no-store"}
    return Response(made, headers=headers, media_type="application/pdf")


@router.get("/applications/{application_id}/qr.svg")
async def qr(application_id: OpaqueId, applicant: SignedIn, pages: SeenPages, progress: Progress) -> Response:
    """The address of the page, to open it on a telephone."""
    await progress.require_own(application_id, applicant.holder_digest)
    drawn = io.BytesIO()
    address = f"{pages.site.address}/applications/{application_id}"
    _code(address).save(drawn, kind="svg", scale=5, border=2, svgclass=None, lineclass=None)
    return Response(drawn.getvalue(), headers={"cache-control": "no-store"}, media_type="image/svg+xml")


def _code(address: str) -> "segno.QRCode":
    import segno  # only where one is drawn

    return segno.make(address, error="m")
