"""Translations of the pages: what every room says, and a catalogue per area in ``locale/en/*.po``.

A sentence without a translation stays Chinese, and a test fails on it.
"""

from collections.abc import Sequence
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from gateway.wording import catalogues
from gateway.wording.phrases import Language

LOCALES: Final = Path(__file__).parent / "locale"


def translations(language: Language) -> NullTranslations:
    """What turns the Chinese of a page into ``language``."""
    return catalogues.translations(language, LOCALES)


def catalogue_files() -> Sequence[Path]:
    """Every English catalogue that the pages are said by."""
    return catalogues.catalogue_files(catalogues.OWN, LOCALES)
