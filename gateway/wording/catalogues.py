"""Translations. Chinese is written in the code and the templates; ``*.po`` says the same in English.

This room's own catalogues hold what every room may say: ``terms.po`` the field's terms, ``refusals.po`` the titles and
remedies of errors. A room with pages has further ones. All are read as text at the start: nothing has to be compiled.
"""

import io
from collections.abc import Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.wording.phrases import Language, say

OWN: Final = Path(__file__).parent / "locale"


def catalogue_files(*locales: Path) -> Sequence[Path]:
    """Every English catalogue under ``locales``, by name within each."""
    return [path for locale in locales for path in sorted((locale / "en").glob("*.po"))]


@cache
def translations(language: Language, *more: Path) -> NullTranslations:
    """What turns Chinese into ``language``: this room's catalogues, and those under ``more``.

    Where two disagree about a sentence the first is right; a test fails on it.
    """
    if language is Language.CHINESE:
        return NullTranslations()
    merged = Catalog(locale="en")
    for path in catalogue_files(OWN, *more):
        with path.open("rb") as file:
            for message in read_po(file, locale="en"):
                if not message.id or not message.string or message.fuzzy:
                    continue
                if merged.get(message.id, message.context) is None:
                    merged.add(message.id, message.string, context=message.context)
    compiled = io.BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return GNUTranslations(compiled)


def worded(text: str, language: Language) -> str:
    """A title, remedy or term in ``language``, values included."""
    return say(text, translations(language).gettext, language)
