"""How somebody wants pages: the language, and large type (适老化). Kept in two plain cookies that name nobody."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.wording.phrases import Language

LANGUAGE_COOKIE: Final = "bandian_language"
LARGE_COOKIE: Final = "bandian_large"
KEPT_SECONDS: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class Preferences:
    """Chinese in ordinary type unless somebody said otherwise."""

    language: Language = Language.CHINESE
    large: bool = False


def preferences_of(request: Request) -> Preferences:
    """What this browser's cookies say; anything unknown counts for nothing."""
    told = request.cookies.get(LANGUAGE_COOKIE)
    language = Language.ENGLISH if told == Language.ENGLISH else Language.CHINESE
    return Preferences(language, request.cookies.get(LARGE_COOKIE) == "1")


def keep(response: Response, preferences: Preferences, *, https: bool) -> None:
    """Let the browser remember ``preferences`` for a year."""
    kept = {LANGUAGE_COOKIE: preferences.language.value, LARGE_COOKIE: "1" if preferences.large else "0"}
    for name, value in kept.items():
        response.set_cookie(name, value, max_age=KEPT_SECONDS, path="/", httponly=True, samesite="lax", secure=https)
