"""Proofs for partners, and what anybody may follow the record by: checkpoints, growth, leaves, keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import PlainTextResponse

from gateway.caller import Caller, Role
from gateway.http.callers import require_role
from gateway.http.limits import RateLimit
from gateway.http.services import provide
from gateway.records.service import MAX_LEAVES, PublishedVerifierKeys, RecordProofs
from gateway.records.views import growth_view, leaves_view, proof_view
from schemas.record_proofs import ConsistencyView, RecordProofView, SuperLeavesView
from schemas.wire import OpaqueId

router = APIRouter(tags=["存证"])

Proofs = Annotated[RecordProofs, Depends(provide(RecordProofs))]
Partner = Annotated[Caller, Depends(require_role(*Role))]
_PUBLIC = [Depends(RateLimit("records", "600/minute"))]


@router.get("/v1/records/{record_id}/proof", summary="一条存证的证明：包含证明、超级日志与检查点")
async def record_proof(record_id: OpaqueId, partner: Partner, proofs: Proofs) -> RecordProofView:
    """For whoever acted, the utility whose application the entry is about, operators and auditors.

    503 with ``Retry-After`` while the next checkpoint does not cover the entry yet.
    """
    return proof_view(*await proofs.for_partner(partner, record_id))


@router.get(
    "/v1/records/checkpoint",
    summary="最新检查点（C2SP tlog-checkpoint，含见证方联署）",
    response_class=PlainTextResponse,
    dependencies=_PUBLIC,
)
async def latest_checkpoint(proofs: Proofs) -> PlainTextResponse:
    """Public. Whoever keeps it can later tell whether the record was changed or cut."""
    return PlainTextResponse(str((await proofs.checkpoint()).note))


@router.get("/v1/records/consistency", summary="超级日志的一致性证明（RFC 9162 §2.1.4）", dependencies=_PUBLIC)
async def consistency(
    proofs: Proofs,
    old_size: Annotated[int, Query(alias="from", ge=0, le=2**62, description="较早检查点的大小")],
    new_size: Annotated[int | None, Query(alias="to", ge=0, le=2**62, description="默认为最新检查点")] = None,
) -> ConsistencyView:
    """Public: that the later super log begins with the earlier one."""
    return growth_view(await proofs.growth(old_size, new_size))


@router.get("/v1/records/leaves", summary="超级日志的叶子，供外部监测方续读", dependencies=_PUBLIC)
async def super_leaves(
    proofs: Proofs,
    first: Annotated[int, Query(alias="from", ge=0, le=2**62, description="从第几个叶子起（自 0 计）")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LEAVES)] = 256,
) -> SuperLeavesView:
    """Public: names of logs, how far each goes, and roots; nothing of what the entries say."""
    return leaves_view(await proofs.leaves(first, limit))


@router.get(
    "/.well-known/record-keys",
    summary="检查点的验证公钥（C2SP vkey，每行一个）",
    response_class=PlainTextResponse,
    dependencies=_PUBLIC,
)
async def verifier_keys(
    published: Annotated[PublishedVerifierKeys, Depends(provide(PublishedVerifierKeys))],
) -> PlainTextResponse:
    """Public; the newest first. A key that was removed here still proves what it signed to whoever kept it."""
    return PlainTextResponse("".join(f"{key}\n" for key in published.now()))
