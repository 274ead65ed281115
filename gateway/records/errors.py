"""What the record refuses."""

from dataclasses import dataclass

from gateway.errors import Indeterminate, NotFound, Owner, PartnerUnavailable, SubjectUnknown


class RecordUnknown(SubjectUnknown):
    """There is no such entry, or none that this caller may know of."""

    kind = "record-unknown"
    title = "未找到该存证"


@dataclass(kw_only=True, eq=False)
class RecordNotAnchored(Indeterminate):
    """The entry is sealed, and the next checkpoint will cover it. ``retry_after`` is in seconds."""

    kind = "record-not-anchored"
    title = "存证尚未纳入检查点"

    check: str = "record.not_anchored"
    owner: Owner = Owner.GATEWAY
    remedy: str = "该存证已封签，将纳入下一个检查点；请按 Retry-After 等待后重试"
    retry_after: int = 1


@dataclass(kw_only=True, eq=False)
class RecordDamaged(Indeterminate):
    """What is stored does not prove what it should: nothing is answered in its place."""

    kind = "record-damaged"
    title = "存证数据不相符"

    check: str = "record.damaged"
    owner: Owner = Owner.GATEWAY
    remedy: str = "存证数据与检查点不符，请联系平台运营方运行 bandian audit"


class CheckpointUnknown(NotFound):
    """No checkpoint was signed yet, or the record does not have the size that was asked for."""

    kind = "checkpoint-unknown"
    title = "没有该检查点"


@dataclass(kw_only=True, eq=False)
class CheckpointContradicted(PartnerUnavailable):
    """A witness saw something that the checkpoint does not follow from: the record was forked or set back."""

    kind = "checkpoint-contradicted"
    title = "见证方所见与检查点矛盾"


def checkpoint_refused(check: str, remedy: str) -> RecordDamaged:
    """No checkpoint is signed. ``check`` is told behind ``record.kept_checkpoint_``."""
    return RecordDamaged(check=f"record.kept_checkpoint_{check}", remedy=remedy)


def record_unknown() -> RecordUnknown:
    """Says nothing of whether there is such an entry."""
    return RecordUnknown(
        check="record.unknown", owner=Owner.CALLER, remedy="请核对存证编号，并使用有权知悉它的身份查询"
    )


def no_checkpoint(check: str, remedy: str) -> CheckpointUnknown:
    """``check`` is told behind ``record.``."""
    return CheckpointUnknown(check=f"record.{check}", owner=Owner.CALLER, remedy=remedy)
