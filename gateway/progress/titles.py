"""What people call documents, fields and reasons, where the record holds their names alone."""

from collections.abc import Sequence
from functools import cache

from gateway.applications.requirements import DOCUMENT_TITLES
from gateway.applications.submission import SITE_ADDRESS
from gateway.certificates.disclosure import Withholding
from gateway.certificates.registry import KindRegistry
from schemas.applicant_api import WithheldView

EVIDENCE, EVERYTHING = "evidence", "everything"
"""The document and the one field of a bundle that was given whole."""
_OTHER_DOCUMENTS = {SITE_ADDRESS: "用电地址", "parties": "申请人信息", EVIDENCE: "证据包"}
_OTHER_FIELDS = {SITE_ADDRESS: "用电地址", EVERYTHING: "全部证照原文、身份核验结果与申请人信息"}


def document_title(document: str | None) -> str | None:
    """The document as the applicant knows it; None for one that nobody here knows."""
    known = {kind.value: title for kind, title in DOCUMENT_TITLES.items()} | _OTHER_DOCUMENTS
    return known.get(document or "")


def field_titles(document: str | None, names: Sequence[str]) -> list[str]:
    """Fields and predicates of ``document``, each by its title; a name that has none stands for itself."""
    kind = _kinds().by_code.get(document or "")
    if kind is None:
        return [_OTHER_FIELDS.get(document if document == SITE_ADDRESS else name, name) for name in names]
    return [kind.title_of(name) for name in names]


def withheld_views(document: str | None, facts: Sequence[str]) -> list[WithheldView]:
    """What stayed behind, as an entry holds it (``not_required:area,land_use``), in words.

    What no kind ever discloses is left out: nobody could have been given it.
    """
    told = []
    for fact in facts:
        reason, _, names = fact.partition(":")
        if reason in set(Withholding) - {Withholding.NOT_DISCLOSABLE}:
            says = Withholding(reason).says
            told += [WithheldView(title=title, says=says) for title in field_titles(document, names.split(","))]
    return told


@cache
def _kinds() -> KindRegistry:
    """Titles are the kinds' own and the same in every province; only their type codes are configured."""
    return KindRegistry.discover()
