"""谁来答复: which registered level answers for a region."""

from pydantic import Field

from schemas.wire import WireModel


class Answerer(WireModel):
    """Who answers for one certificate kind, or one kind of department; ``answers`` None: nobody is registered."""

    what: str = Field(description="证照类型或部门类别", examples=["business_licence", "planning"])
    title: str
    answers: str | None = Field(description="接入单位代码；空为没有登记", examples=["gd-platform"])
    name: str | None
    level: str | None = Field(description="由哪一级答复（行政区划代码）", examples=["440100"])
    fell_through: list[str] = Field(description="没有登记、依次落空的层级，由下而上")


class RegionRouting(WireModel):
    """Who would answer for a region: county → city → province."""

    region: str
    levels: list[str]
    sources: list[Answerer]
    departments: list[Answerer]
    utilities: list[str] = Field(description="服务该地的供电企业")
