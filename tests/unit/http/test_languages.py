"""``Accept-Language`` chooses the words of a problem document, never its type, check or owner."""

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from gateway.applications.model import CustomerClass
from gateway.applications.stages import Stage, require_stage
from gateway.http.languages import MOST_RANGES, language_of
from gateway.http.problems import install_problem_handlers
from gateway.wording.phrases import Language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", Language.CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("en-GB,en;q=0.9,zh;q=0.8", Language.ENGLISH),
        ("en", Language.ENGLISH),
        ("EN-us", Language.ENGLISH),
        ("zh;q=0.5, en;q=0.7", Language.ENGLISH),
        ("fr, de;q=0.5", Language.CHINESE),
        ("fr, en;q=0.5", Language.ENGLISH),
        ("*, en;q=0.5", Language.CHINESE),
        ("en;q=0", Language.CHINESE),
        ("en;q=nonsense", Language.CHINESE),
        ("en;q=1e9", Language.CHINESE),
        ("en;q=½", Language.CHINESE),
        ("en;q=²", Language.CHINESE),
        (",;=,,q", Language.CHINESE),
        (", ".join(["fr"] * MOST_RANGES + ["en"]), Language.CHINESE),
        ("\xff\xfe", Language.CHINESE),
    ],
)
def test_the_best_ranked_language_is_spoken(header: str, language: Language) -> None:
    assert language_of({"headers": [(b"accept-language", header.encode("latin-1"))]}) is language


def test_without_the_header_it_is_chinese() -> None:
    assert language_of({"headers": []}) is Language.CHINESE


class _Body(BaseModel):
    capacity_kw: int = Field(gt=0)


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/stage")
    async def refuse() -> None:
        require_stage(CustomerClass.RESIDENTIAL, Stage.DESIGN_REVIEW)

    @app.post("/body")
    async def take(body: _Body) -> None: ...

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_a_refusal_is_said_in_the_callers_language(client: httpx.AsyncClient) -> None:
    chinese = await client.get("/stage")
    english = await client.get("/stage", headers={"accept-language": "en"})
    one, other = chinese.json(), english.json()
    assert one["remedy"] == "居民用户只有以下环节：受理签约 → 施工接电；不得增设“设计审查”环节。"
    assert other["title"] == "This customer class has no such stage"
    assert other["remedy"] == (
        "Residential customer: it has only the stages Acceptance and contract → Construction and connection; "
        "no stage “Design review” may be added."
    )
    same = ("type", "status", "check", "owner", "clause")
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert (chinese.headers["content-language"], english.headers["content-language"]) == ("zh-CN", "en")
    assert chinese.headers["vary"] == english.headers["vary"] == "Accept-Language"


async def test_what_does_not_fit_is_told_in_the_callers_language(client: httpx.AsyncClient) -> None:
    wrong = {"capacity_kw": -1}
    english = (await client.post("/body", json=wrong, headers={"accept-language": "en"})).json()
    assert english["faults"] == [{"pointer": "/capacity_kw", "fault": "It must be more than 0"}]
    assert english["remedy"] == "Correct each of the faults"
    assert (await client.post("/body", json=wrong)).json()["faults"][0]["fault"] == "必须大于 0"
    missing = await client.get("/nowhere", headers={"accept-language": "en"})
    assert missing.json()["title"] == "There is no such address"
