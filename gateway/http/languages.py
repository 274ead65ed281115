"""The language of an answer by ``Accept-Language`` (RFC 9110 §12.5.4): Chinese unless English ranks higher."""

from typing import Final

from starlette.types import Scope

from gateway.wording.phrases import Language

MOST_RANGES: Final = 20
"""Language ranges that are read of one header; nobody's browser sends more."""
_HEADER: Final = b"accept-language"


def language_of(scope: Scope) -> Language:
    """The language of the answer. What cannot be read counts for nothing; of equal ranks the first named wins."""
    told = b",".join(value for name, value in scope.get("headers", ()) if name == _HEADER).decode("latin-1")
    ranks: dict[str, tuple[float, int]] = {}
    for place, each in enumerate(told.split(",", MOST_RANGES)[:MOST_RANGES]):
        tag, _, rest = each.partition(";")
        ranks.setdefault(tag.strip().lower().partition("-")[0], (_quality(rest), -place))
    english, chinese = ranks.get("en"), ranks.get("zh", ranks.get("*", (0.0, -MOST_RANGES)))
    return Language.ENGLISH if english is not None and english[0] > 0 and english > chinese else Language.CHINESE


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    digits = value.strip().replace(".", "", 1)
    if name.strip().lower() != "q" or not (digits.isascii() and digits.isdigit()):
        return 0.0
    return min(float(value), 1.0)
