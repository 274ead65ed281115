"""Three verdicts, and nothing between them."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What a verification answers. Indeterminate (could not know) never turns into valid, and never into revoked."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole whose parts were judged: one invalid part spoils it, one unknown part leaves it open.

    Nothing judged is nothing known: an empty iterable answers indeterminate.
    """
    found = set(verdicts)
    if Verdict.INVALID in found:
        return Verdict.INVALID
    return Verdict.VALID if found == {Verdict.VALID} else Verdict.INDETERMINATE
