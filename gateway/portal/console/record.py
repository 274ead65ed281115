"""Sources and how fresh they are; checkpoints of the record, and the proof of an entry."""

import json
import re
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.http.services import provide
from gateway.portal.console.shared import Reader, SeenPages, show
from gateway.portal.page_route import PageRoute
from gateway.rechecks.source_health import SourceWatch
from gateway.records.checkpoints import parse_checkpoint
from gateway.records.merkle import ProofInvalid
from gateway.records.record_proof import verify_record_proof
from gateway.records.service import PublishedVerifierKeys, RecordProofs
from gateway.records.views import proof_view
from schemas.wire import OpaqueId

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Watch = Annotated[SourceWatch, Depends(provide(SourceWatch))]
Proofs = Annotated[RecordProofs, Depends(provide(RecordProofs))]
Keys = Annotated[PublishedVerifierKeys, Depends(provide(PublishedVerifierKeys))]
SHOWN_CHECKPOINTS = 20
_RECORD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}-[1-9][0-9]{0,17}")


@router.get("/console/sources")
async def sources(request: Request, officer: Reader, pages: SeenPages, watch: Watch) -> Response:
    """Each source: its feed, and the copies at hand with their limits."""
    return show(request, pages, officer, "sources.html", state=await watch.state())


@router.get("/console/record")
async def record(request: Request, officer: Reader, pages: SeenPages, proofs: Proofs) -> Response:
    """Checkpoints, and where to ask for a proof."""
    asked = request.query_params.get("id", "").strip()
    if _RECORD_ID.fullmatch(asked):
        return RedirectResponse(f"/console/record/{asked}", 303)
    errors = [("id", "存证编号形如 a1b2c3-17")] if asked else []
    found = await proofs.checkpoints(SHOWN_CHECKPOINTS)
    told = [(each, parse_checkpoint(each.note.text).origin, stamps) for each, stamps in found]
    return show(request, pages, officer, "record.html", 422 if errors else 200, found=told, errors=errors)


@router.get("/console/record/{record_id}")
async def proof(
    request: Request, record_id: OpaqueId, officer: Reader, pages: SeenPages, proofs: Proofs, keys: Keys
) -> Response:
    """The proof of one entry, verified here step by step, and how it is verified elsewhere without trust in us."""
    found, stamps = await proofs.of_any(record_id)
    checkpoint = parse_checkpoint(found.checkpoint.text)
    try:
        verify_record_proof(found, keys.now(), checkpoint.origin)
        failed = None
    except ProofInvalid as error:
        failed = str(error)
    told = proof_view(found, stamps)
    return show(
        request,
        pages,
        officer,
        "proof.html",
        proof=told,
        entry=json.dumps(orjson.loads(found.leaf), ensure_ascii=False, indent=2),
        checkpoint=checkpoint,
        note=str(found.checkpoint),
        signers=[line.name for line in found.checkpoint.signatures],
        keys=[str(key) for key in keys.now()],
        failed=failed,
        document=told.model_dump_json(indent=2),
    )
