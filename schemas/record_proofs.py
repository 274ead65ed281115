"""Proofs of the record as they cross the wire. Hashes and bytes are in standard base64, as checkpoints have them."""

from pydantic import Field

from schemas.wire import Instant, OpenWireModel


class SuperLeafProof(OpenWireModel):
    """Leaf ``index`` (from 0) of the super log of ``size`` leaves that the checkpoint signs."""

    index: int = Field(ge=0)
    size: int = Field(ge=1)
    leaf: str
    inclusion: list[str]


class TimeStampView(OpenWireModel):
    """An RFC 3161 token over the checkpoint's text."""

    authority: str
    stamped_at: Instant
    token: str


class StampedCheckpointView(OpenWireModel):
    """A checkpoint beside those that entries are proved in, and the time stamps over its text."""

    checkpoint: str = Field(description="C2SP tlog-checkpoint with every signature line")
    time_stamps: list[TimeStampView]


class RecordProofView(OpenWireModel):
    """That entry ``sequence`` (from 1) of ``log`` is ``leaf``, by RFC 9162 up to a signed checkpoint."""

    record_id: str
    log: str
    sequence: int = Field(ge=1)
    leaf: str
    log_size: int = Field(ge=1, description="How many entries the root in super_leaf is over")
    inclusion: list[str] = Field(description="From the entry to the root of its log")
    super_leaf: SuperLeafProof
    checkpoint: str = Field(description="C2SP tlog-checkpoint with every signature line")
    time_stamps: list[TimeStampView] = []


class ConsistencyView(OpenWireModel):
    """RFC 9162 §2.1.4: the super log of ``new_size`` leaves begins with that of ``old_size``."""

    old_size: int = Field(ge=0)
    new_size: int = Field(ge=0)
    proof: list[str]


class LogGrowthView(ConsistencyView):
    """The same of any log; ``log`` is ``super`` for the one above all."""

    log: str


class SuperLeavesView(OpenWireModel):
    """Leaves of the super log from ``first`` on; ``size`` is how many the latest checkpoint has."""

    first: int
    size: int
    leaves: list[str]
