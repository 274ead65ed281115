"""A phrase is Chinese wherever text is wanted, and keeps its values until somebody reads it in another language."""

import copy
import json
import pickle
from datetime import UTC, date, datetime

import orjson
import pytest

from gateway.wording.catalogues import worded
from gateway.wording.phrases import Language, Phrase, day, listed, say

SKIPPED = Phrase(
    "“{expected}”环节尚未办结，不得跳至“{stage}”；请先如实报送“{expected}”。",
    stage=Phrase("装表接电"),
    expected=Phrase("供电方案答复"),
)


def test_it_is_the_chinese_sentence() -> None:
    assert SKIPPED == "“供电方案答复”环节尚未办结，不得跳至“装表接电”；请先如实报送“供电方案答复”。"
    assert isinstance(SKIPPED, str)
    assert worded(SKIPPED, Language.CHINESE) == SKIPPED


def test_its_values_are_said_in_the_readers_language() -> None:
    english = worded(SKIPPED, Language.ENGLISH)
    assert english == (
        "The stage “Supply plan” is not completed, so “Metering and connection” cannot be skipped to: "
        "report “Supply plan” as it was first."
    )


def test_days_numbers_and_lists() -> None:
    first = Phrase("申请按受理之日的规则办理，规则行不得溯及既往：起始日最早为 {first}", first=date(2026, 11, 3))
    assert first.endswith("2026年11月3日")
    assert "3 November 2026" in worded(first, Language.ENGLISH)
    roles = Phrase("此页面限以下角色使用：{roles}", roles=listed([Phrase("运营人员"), Phrase("核查人员")]))
    assert roles == "此页面限以下角色使用：运营人员、核查人员"
    assert worded(roles, Language.ENGLISH) == "This page is for these roles: Operator, Reviewer"
    assert Phrase("{a} 与 {b}", a=listed([1, 2], " → "), b=7) == "1 → 2 与 7"


def test_braces_in_a_value_are_no_places() -> None:
    phrase = Phrase("{claim} 须为文本", claim="{claim.__class__}")
    assert phrase == "{claim.__class__} 须为文本"
    assert worded(phrase, Language.ENGLISH) == "{claim.__class__} must be a text"


def test_what_the_catalogue_does_not_know_stays_chinese() -> None:
    assert worded("从未说过的一句", Language.ENGLISH) == "从未说过的一句"
    assert say(Phrase("从未说过的 {n}", n=3), lambda text: text, Language.ENGLISH) == "从未说过的 3"


@pytest.mark.parametrize("copied", [copy.deepcopy(SKIPPED), pickle.loads(pickle.dumps(SKIPPED))])
def test_a_copy_is_the_same_phrase(copied: Phrase) -> None:
    assert copied == SKIPPED
    assert worded(copied, Language.ENGLISH) == worded(SKIPPED, Language.ENGLISH)


def test_it_is_written_as_text() -> None:
    assert json.loads(json.dumps(SKIPPED)) == orjson.loads(orjson.dumps(SKIPPED)) == str(SKIPPED)


def test_a_place_without_a_value_is_no_phrase() -> None:
    with pytest.raises(KeyError):
        Phrase("{one} 与 {other}", one=1)


def test_an_instant_is_the_day_that_it_is_in_china() -> None:
    assert day(datetime(2026, 11, 28, 16, 30, tzinfo=UTC), Language.CHINESE) == "2026年11月29日"
