"""Every sentence of every page is there in English, and says what the Chinese says it is about."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway.portal.catalogues import catalogue_files as catalogues
from gateway.portal.catalogues import translations
from gateway.portal.rendering import TEMPLATES
from gateway.wording.phrases import Language

PLACES = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def written() -> set[str]:
    """What the templates mark for translation."""
    found = extract_from_dir(
        TEMPLATES, [("**.html", "jinja2"), ("**.txt", "jinja2")], {"**": {"newstyle_gettext": "true"}}
    )
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def test_every_sentence_of_a_template_is_translated() -> None:
    english = translations(Language.ENGLISH)
    missing = sorted(text for text in written() if english.gettext(text) == text and re.search("[\u4e00-\u9fff]", text))
    assert not missing


@pytest.mark.parametrize("path", catalogues(), ids=lambda path: path.stem)
def test_a_catalogue_is_sound(path: Path) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, locale="en")
    for message in catalogue:
        if not message.id:
            continue
        assert isinstance(message.id, str)
        assert isinstance(message.string, str)
        assert message.string, message.id
        assert set(PLACES.findall(message.id)) == set(PLACES.findall(message.string)), message.id


def test_areas_agree_about_what_they_share() -> None:
    said: dict[str, dict[str, str]] = {}
    for path in catalogues():
        with path.open("rb") as file:
            for message in read_po(file, locale="en"):
                if message.id:
                    said.setdefault(str(message.id), {})[path.stem] = str(message.string)
    assert not {text: by for text, by in said.items() if len(set(by.values())) > 1}


def test_chinese_needs_no_catalogue() -> None:
    assert translations(Language.CHINESE).gettext("首页") == "首页"
    assert translations(Language.ENGLISH).gettext("首页") == "Home"
