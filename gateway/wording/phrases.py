"""A sentence whose values are kept apart from it until somebody reads it. Pure.

``Phrase("“{stage}”环节已开始", stage=Phrase("供电方案"))`` is the Chinese sentence wherever text is wanted. In another
language its template is looked up, then each of its values is said in that language.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from babel.dates import format_date

from gateway.clock import CHINA_TIME, date_in_china


class Language(StrEnum):
    """The languages that people are answered in, by their BCP 47 tag."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


@dataclass(frozen=True)
class Listed:
    """Several values in one place of a sentence: ``、`` between them, or what ``mark`` says."""

    items: tuple[Any, ...]
    mark: str = "、"


class Phrase(str):
    """A Chinese template and its named values; without values a plain term or sentence.

    Values are numbers, dates, other phrases (said in the reader's language), ``Listed`` ones, and plain text: names
    and codes that are the same in every language. As a ``str`` it is the Chinese sentence, so it may stand, be stored
    and be compared wherever text does; what is made of it by ``+`` or ``str()`` is text and no phrase any more.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> "Phrase":
        """Raises ``KeyError`` for a place of ``template`` that no value fills."""
        said = super().__new__(cls, _filled(template, values, str, Language.CHINESE) if values else template)
        said.template, said.values = template, values
        return said


def listed(items: Iterable[object], mark: str = "、") -> Listed:
    """``Listed`` of ``items``, in their order."""
    return Listed(tuple(items), mark)


def say(text: str, translate: Callable[[str], str], language: Language) -> str:
    """``text`` in ``language``: a phrase by its template and values, plain text as a sentence of the catalogue.

    What the catalogue does not know stays Chinese.
    """
    if not isinstance(text, Phrase):
        return translate(text)
    template = translate(text.template)
    return _filled(template, text.values, translate, language) if text.values else template


def day(value: date | datetime, language: Language) -> str:
    """``2026年11月23日`` or ``23 November 2026``; an instant is the day that it is in China."""
    return _day(date_in_china(value) if isinstance(value, datetime) else value, language)


@lru_cache(1024)
def _day(on: date, language: Language) -> str:
    if language is Language.CHINESE:
        return f"{on.year}年{on.month}月{on.day}日"
    return format_date(on, "d MMMM y", locale="en_GB")


def moment(value: datetime, language: Language) -> str:
    """The day and the time to the minute, in China: ``2026年11月23日 14:05``."""
    there = value.astimezone(CHINA_TIME)
    return f"{day(there, language)} {there.hour:02}:{there.minute:02}"


_MARKS: Final = {"、": ", "}
"""How a list of the Chinese text is written in English; any other mark is written alike."""


def _filled(template: str, values: Mapping[str, object], translate: Callable[[str], str], language: Language) -> str:
    return template.format_map({name: _shown(value, translate, language) for name, value in values.items()})


def _shown(value: object, translate: Callable[[str], str], language: Language) -> str:
    if isinstance(value, Listed):
        mark = value.mark if language is Language.CHINESE else _MARKS.get(value.mark, value.mark)
        return mark.join(_shown(item, translate, language) for item in value.items)
    if isinstance(value, Phrase):
        return say(value, translate, language)
    if isinstance(value, date):
        return day(value, language)
    return str(value)
