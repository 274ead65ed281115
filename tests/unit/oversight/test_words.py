"""What the pages say that comes from the code is there in English as well."""

import re
from datetime import date

import pytest

from adapters.departments import discover
from gateway.applications.rule_book import published_rules
from gateway.oversight.public_rules import HOTLINES, rules_in_force
from gateway.oversight.views import ALL_CITIES, ALL_CLASSES, WHOLE_PROCESS, rules_view
from gateway.portal.authority.router import WORDS
from gateway.portal.catalogues import translations
from gateway.portal.public.router import choices
from gateway.wording.phrases import Language
from schemas.regions import PROVINCE

CHINESE = re.compile("[\u4e00-\u9fff]")


def said(found: object) -> set[str]:
    """Every text in a document that is written for people."""
    if isinstance(found, dict):
        return {text for name, value in found.items() if name != "term" for text in said(value)}
    if isinstance(found, list):
        return {text for value in found for text in said(value)}
    return {found} if isinstance(found, str) and CHINESE.search(found) else set()


@pytest.mark.parametrize("on", [date(2020, 1, 1), date(2021, 12, 31), date(2026, 11, 28)])
def test_every_text_of_the_rules_is_translated(on: date) -> None:
    english = translations(Language.ENGLISH)
    texts = said(rules_view(rules_in_force(PROVINCE, on, published_rules())).model_dump())
    texts |= {title for _, title in (*HOTLINES, *choices(PROVINCE))} | {ALL_CITIES, ALL_CLASSES, WHOLE_PROCESS}
    texts |= {*WORDS.values(), *(each.title for each in discover())}
    assert not {text for text in texts if english.gettext(text) == text}
