"""The elements that pages have many of. Functions: a macro's call takes a dozen times as long as they do.

All of them are pure; ``badge`` of a state and a word that stand in the template is part of the compiled template.
"""

from datetime import date, datetime
from functools import lru_cache

from markupsafe import Markup, escape

from gateway.portal.dates import day, machine, moment
from gateway.wording.phrases import Language


def badge(state: str, word: str) -> Markup:
    """``state``: todo, going, waiting, done, paused, overdue, wrong. The word carries it, the colour helps."""
    return Markup(f'<strong class="badge badge-{escape(state)}">{escape(word)}</strong>')  # noqa: S704 - escaped


def nav(path: str, href: str, title: str) -> Markup:
    """A link of the navigation, marked on its own page and on those below it."""
    here = ' aria-current="page"' if path == href or path.startswith(href + "/") else ""
    return Markup(f'<a href="{escape(href)}"{here}>{escape(title)}</a>')  # noqa: S704 - escaped


@lru_cache(1024)
def time_tag(at: datetime, language: Language) -> Markup:
    """The day and the time to the minute, in China."""
    return _tag(machine(at), moment(at, language))


@lru_cache(1024)
def day_tag(on: date | datetime, language: Language) -> Markup:
    """The day; of an instant the one that it is in China."""
    return _tag(machine(on), day(on, language))


def _tag(exact: str, said: str) -> Markup:
    return Markup(f'<time datetime="{exact}">{said}</time>')  # noqa: S704 - digits and words of ours
