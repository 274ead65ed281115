"""Translations. Chinese is written in the templates and the code; ``locale/en/*.po`` says the same in English.

A catalogue per area, read as text at the start: nothing has to be compiled. A sentence without a translation stays
Chinese, and a test fails on it.
"""

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.portal.preferences import Language

LOCALES: Final = Path(__file__).parent / "locale"


@cache
def translations(language: Language) -> NullTranslations:
    """What turns the Chinese of a page into ``language``.

    Where two areas disagree about a sentence the first by name is right; a test fails on it.
    """
    if language is Language.CHINESE:
        return NullTranslations()
    merged = Catalog(locale="en")
    for path in sorted((LOCALES / "en").glob("*.po")):
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
