"""Proofs as they are told."""

import base64
from collections.abc import Sequence

from gateway.records.checkpoints import parse_checkpoint
from gateway.records.growth import LogGrowth
from gateway.records.notes import Note
from gateway.records.ports import TimeStamp
from gateway.records.record_proof import RecordProof
from gateway.records.service import Growth, LeafPage
from schemas.record_proofs import (
    ConsistencyView,
    LogGrowthView,
    RecordProofView,
    StampedCheckpointView,
    SuperLeafProof,
    SuperLeavesView,
    TimeStampView,
)


def proof_view(proof: RecordProof, stamps: Sequence[TimeStamp] = ()) -> RecordProofView:
    """The proof, with the time stamps of its checkpoint."""
    return RecordProofView(
        record_id=proof.record_id,
        log=proof.log_id,
        sequence=proof.sequence,
        leaf=_text(proof.leaf),
        log_size=proof.log_size,
        inclusion=_texts(proof.inclusion),
        super_leaf=SuperLeafProof(
            index=proof.super_index,
            size=parse_checkpoint(proof.checkpoint.text).size,
            leaf=_text(proof.super_leaf),
            inclusion=_texts(proof.super_inclusion),
        ),
        checkpoint=str(proof.checkpoint),
        time_stamps=_stamps(stamps),
    )


def stamped_view(note: Note, stamps: Sequence[TimeStamp]) -> StampedCheckpointView:
    return StampedCheckpointView(checkpoint=str(note), time_stamps=_stamps(stamps))


def growth_view(growth: Growth) -> ConsistencyView:
    return ConsistencyView(old_size=growth.old_size, new_size=growth.new_size, proof=_texts(growth.proof))


def log_growth_view(growth: LogGrowth) -> LogGrowthView:
    return LogGrowthView(
        log=growth.log_id, old_size=growth.old_size, new_size=growth.new_size, proof=_texts(growth.proof)
    )


def leaves_view(page: LeafPage) -> SuperLeavesView:
    return SuperLeavesView(first=page.first, size=page.size, leaves=_texts(page.leaves))


def _stamps(stamps: Sequence[TimeStamp]) -> list[TimeStampView]:
    return [
        TimeStampView(authority=each.authority, stamped_at=each.stamped_at, token=_text(each.token)) for each in stamps
    ]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [_text(each) for each in hashes]
