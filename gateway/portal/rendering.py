"""Pages out of templates. ``Pages`` is built once and published; a router asks for it by type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.clock import Clock
from gateway.portal import dates
from gateway.portal.assets import Assets
from gateway.portal.catalogues import translations
from gateway.portal.elements import badge, day_tag, nav, time_tag
from gateway.portal.forms import new_once
from gateway.portal.preferences import Preferences, preferences_of
from gateway.portal.spoken import SpokenEnvironment
from gateway.portal.visits import visit_of
from gateway.wording.phrases import Language, say

TEMPLATES: Final = Path(__file__).parent / "templates"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy of every page: nothing from elsewhere, nothing inline."""


@dataclass(frozen=True)
class Site:
    """What every page knows of the installation. ``address`` is where browsers reach it, without a slash at the end."""

    name: str
    https: bool
    address: str = ""


class Pages:
    """Renders templates in the visitor's language; everything in them is escaped."""

    def __init__(self, site: Site, assets: Assets, clock: Clock) -> None:
        self.site = site
        self.assets = assets
        self.clock = clock
        self._environments = {language: self._environment(language) for language in Language}

    def _environment(self, language: Language) -> Environment:
        environment = SpokenEnvironment(
            loader=FileSystemLoader(TEMPLATES),
            auto_reload=False,
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
        environment.settle(
            {"_": partial(_settled, translations(language).gettext), "asset": self.assets.href, "badge": badge}
        )
        environment.filters["day_tag"] = partial(day_tag, language=language)
        environment.filters["time_tag"] = partial(time_tag, language=language)
        environment.filters["day"] = partial(dates.day, language=language)
        environment.filters["moment"] = partial(dates.moment, language=language)
        environment.filters["machine"] = dates.machine
        environment.filters["say"] = partial(_say, translations(language).gettext, language)
        environment.globals.update(asset=self.assets.href, badge=badge, nav=nav)
        environment.globals.update(site=self.site, language=language.value, new_once=new_once)
        return environment

    def render(self, request: Request, template: str, /, status: int = 200, **context: Any) -> Response:
        """``template`` (``applicant/start.html``) as an answer, in the language and type of the visitor."""
        preferences, visit = preferences_of(request), visit_of(request)
        text = self.text(
            template,
            preferences,
            {**context, "path": request.url.path, "form_token": visit.form_token, "now": self.clock()},
        )
        response = HTMLResponse(text, status, {"content-security-policy": POLICY, "vary": "Cookie"})
        visit.hand_over(response)
        return response

    def text(self, template: str, preferences: Preferences, context: Mapping[str, Any]) -> str:
        """The same as text, for whatever is no page (a document to print, a mail)."""
        environment = self._environments[preferences.language]
        return environment.get_template(template).render({**context, "large": preferences.large})

    def translate(self, request: Request, text: str) -> str:
        """A sentence of the code in the visitor's language."""
        language = preferences_of(request).language
        return say(text, translations(language).gettext, language)


def _settled(translate: Callable[[str], str], text: str) -> Markup:
    """As Jinja's newstyle gettext answers it: markup, and its percent signs are doubled in the template."""
    return Markup(translate(text)) % {}  # noqa: S704 - of a template, or of a catalogue


def _say(translate: Callable[[str], str], language: Language, text: str | None) -> str:
    """A sentence of the code (a title, a remedy) in the page's language; what has no translation stays Chinese."""
    return say(text, translate, language) if text else ""
