"""RFC 9457 problem documents: which check failed, who owns it, how it is mended."""

from pydantic import Field

from schemas.wire import OpenWireModel

PROBLEM_TYPE_PREFIX = "urn:bandian:problem:"


FactValue = bool | int | float | str | list[str]


class FieldFault(OpenWireModel):
    """One member of a request that does not fit; it names the place and the fault, never the value."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the member", examples=["/capacity_kw"])
    fault: str = Field(examples=["必须大于 0"])


class Problem(OpenWireModel):
    """``application/problem+json``."""

    type: str = Field(examples=["urn:bandian:problem:stage-forbids-kind"])
    title: str
    status: int
    detail: str | None = Field(default=None, description="One sentence on what was refused, without personal data")
    check: str = Field(description="Stable name of the failed check", examples=["requirements.kind_not_allowed"])
    owner: str = Field(description="Whose turn it is: 政府 / 供电企业 / 申请人 / 调用方 / 共享平台")
    remedy: str = Field(description="How to mend it")
    clause: str | None = Field(default=None, description="The rule that refused", examples=["第（六）条"])
    record_id: str | None = Field(default=None, description="The refusal's entry in the tamper-evident record")
    retry_after: int | None = Field(default=None, description="Seconds to wait before trying again")
    faults: list[FieldFault] = []
    facts: dict[str, FactValue] = Field(
        default={},
        description="What else the refusal knows, such as the documents that are missing. No personal data",
        examples=[{"documents": ["property_certificate"]}],
    )
